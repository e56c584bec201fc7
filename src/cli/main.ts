import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { HearthError } from '../errors.ts';
import { printable } from '../printable.ts';
import { install, uninstall } from './install/install.ts';
import { keysCreate, keysList, keysRevoke } from './keys.ts';
import { layersBuild, layersList, layersRemove } from './layers.ts';
import { schedulesList, schedulesPause, schedulesResume, schedulesRun, schedulesShow } from './schedules.ts';
import { secretsDelete, secretsList, secretsRotateKey, secretsSet } from './secrets.ts';
import { tokensCreate, tokensList, tokensRevoke } from './tokens.ts';

// What stands here is there at once; commands that need much of the platform, which takes longest to read, get it when they run.

/** Exit codes: 0 done, 1 it failed (the message says why), 2 the command line was not understood, 3 the platform wants a token, another one, or one with more rights. */

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

const program = new Command('hearth')
  .description('A self-hosted serverless platform. Settings come from the environment (HEARTH_…) and from the file that HEARTH_CONFIG names.')
  .version(version)
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });

program
  .command('up')
  .description('start the platform: gateway and control plane')
  .action(async () => (await import('./up.ts')).up(version, process.env));

program
  .command('doctor')
  .description('check what this machine can do for the platform')
  .option('--json', 'print a JSON document')
  .action(async (options) => (await import('./doctor.ts')).doctor(options, process.env));

const images = program.command('images').description('images that functions run in with the docker driver');
images
  .command('build', { isDefault: true })
  .description('have the Docker Engine build the image of Python functions, and print its name')
  .option('--base <image>', 'image to build on, with Python 3.9 to 3.14, or with apt to install it; without this, python:3.13-slim-bookworm')
  .action(async (options) => (await import('./images.ts')).imagesBuild(options, process.env));

program
  .command('install')
  .description('make a systemd service of this installation: user, /etc/hearth, /var/lib/hearth, unit; again, it is the upgrade')
  .option('--dry-run', 'print every step, and do none')
  .option('--root <folder>', 'below a folder instead of /, and nothing but files')
  .action((options: { dryRun?: boolean; root?: string }) => install(options, { node: process.execPath, script: process.argv[1] as string }));

program
  .command('uninstall')
  .description('take the service away; data and settings are kept')
  .option('--purge', 'delete data, settings and user, too')
  .option('--dry-run', 'print every step, and do none')
  .option('--root <folder>', 'below a folder instead of /, and nothing but files')
  .action(uninstall);

const layers = program.command('layers').description('list and build layers of libraries, on a running platform');
/** For commands that talk to a running platform. */
const onPlatform = (command: Command): Command =>
  command
    .option('--api <url>', 'address of the control plane', 'http://127.0.0.1:8000')
    .option('--token-file <file>', 'file that has a token for it; without this, HEARTH_TOKEN of the environment is used')
    .hook('preAction', (_, action) => void action.setOptionValue('token', process.env.HEARTH_TOKEN));
onPlatform(layers.command('list', { isDefault: true }))
  .description('list the layers')
  .option('--json', 'print a JSON document')
  .action(layersList);
onPlatform(layers.command('build <name>'))
  .description('build a layer from a requirements file, or again from a changed one')
  .requiredOption('-r, --requirements <file>', 'the requirements file; - reads standard input')
  .option('--json', 'print a JSON document')
  .action(layersBuild);
onPlatform(layers.command('remove <name-or-id>')).description('forget a layer that no function uses').action(layersRemove);

const tokens = program.command('tokens').description('make, list and revoke tokens for the control plane of a running platform');
onPlatform(tokens.command('create'))
  .description('make a token and print it; it is shown this once')
  .requiredOption('--name <name>', 'what it is known by: letters, digits, _ - . @')
  .addOption(new Option('--role <role>', 'what it may do').choices(['read', 'deploy', 'admin']).makeOptionMandatory())
  .option('--expires <when>', 'never, a time from now like 12h, 30d or 1y, or a date', 'never')
  .option('--json', 'print a JSON document')
  .action(tokensCreate);
onPlatform(tokens.command('list', { isDefault: true }))
  .description('list the tokens, without their texts')
  .option('--json', 'print a JSON document')
  .action(tokensList);
onPlatform(tokens.command('revoke <name-or-id>')).description('refuse a token from now on').action(tokensRevoke);

const secrets = program.command('secrets').description('set and list what functions must know and nobody else, on a running platform');
onPlatform(secrets.command('list', { isDefault: true }))
  .description('list the secrets, without their values')
  .option('--json', 'print a JSON document')
  .action(secretsList);
onPlatform(secrets.command('set <name>'))
  .description('set a secret; its value comes from standard input, or is asked for')
  .option('--from-file <file>', 'take the value from a file, as it is')
  .action(secretsSet);
onPlatform(secrets.command('delete <name>'))
  .description('delete a secret that no function names')
  .option('--force', 'even if functions name it; they can not be started then')
  .action(secretsDelete);
onPlatform(secrets.command('rotate-key')).description('make a new key, and encrypt all secrets anew with it').action(secretsRotateKey);

const schedules = program.command('schedules').description('functions that are run by the clock, on a running platform');
onPlatform(schedules.command('list', { isDefault: true }))
  .description('list the schedules: when they are due next, and how the last one ended')
  .option('--json', 'print a JSON document')
  .action(schedulesList);
onPlatform(schedules.command('show <function>'))
  .description('show one: its settings, next instants and last firings')
  .option('--json', 'print a JSON document')
  .action(schedulesShow);
onPlatform(schedules.command('pause <function>')).description('fire no more until it is resumed').action(schedulesPause);
onPlatform(schedules.command('resume <function>')).description('fire again, from the next instant on').action(schedulesResume);
onPlatform(schedules.command('run <function>')).description('fire now, and print the id of the invocation').action(schedulesRun);

onPlatform(program.command('deploy [folder]'))
  .description('deploy the functions of a project (hearth.json or hearth.yaml) to a running platform')
  .option('--gateway <url>', 'address of the gateway, for the URLs that are printed', 'http://127.0.0.1:5000')
  .option('--dry-run', 'only say what would be deployed')
  .option('--json', 'print a JSON document')
  .action(async (folder, options) => (await import('./deploy/deploy.ts')).deploy(folder, options));

onPlatform(program.command('backup <file>'))
  .description('write everything that a running platform keeps to a new file: functions, records, schedules, secrets, the queue')
  .option('--with-key', "include the file of the secrets' key: whoever has the backup can read the secrets then")
  .action(async (file, options) => (await import('./backup.ts')).backup(file, options));

program
  .command('restore <file>')
  .description('put a backup into the data folder of a platform that does not run, which must be empty (HEARTH_DATA_DIR)')
  .option('--check', 'only look whether the backup is whole and undamaged')
  .action(async (file, options) => (await import('./backup.ts')).restore(file, options, process.env));

const keys = program.command('keys').description('API keys of a function, on a running platform');
onPlatform(keys.command('create <function> <name>'))
  .description('make a key and print it; it is shown this once')
  .option('--rate <requests/seconds[/burst]>', 'how often its holder may call, such as 100/60')
  .option('--expires <when>', 'never, a time from now like 12h, 30d or 1y, or a date', 'never')
  .option('--json', 'print a JSON document')
  .action(keysCreate);
onPlatform(keys.command('list <function>'))
  .description('list the keys, without their secrets')
  .option('--json', 'print a JSON document')
  .action(keysList);
onPlatform(keys.command('revoke <function> <name-or-id>')).description('let nobody in with that key any more').action(keysRevoke);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof HearthError) {
    process.stderr.write(`hearth: ${printable(error.message)}\n`);
    const { output } = error.extra;
    if (typeof output === 'string') process.stderr.write(`${printable(output.trimEnd())}\n`);
    return error.code === 'unauthenticated' || error.code === 'forbidden' ? 3 : 1;
  }
  process.stderr.write(`hearth: ${printable(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`);
  return 1;
}
