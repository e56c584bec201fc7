import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { HearthError } from '../errors.ts';
import { doctor } from './doctor.ts';
import { layersBuild, layersList, layersRemove } from './layers.ts';
import { secretsDelete, secretsList, secretsRotateKey, secretsSet } from './secrets.ts';
import { up } from './up.ts';

/** Exit codes: 0 done, 1 it failed (the message says why), 2 the command line was not understood. */

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

const program = new Command('hearth')
  .description('A self-hosted serverless platform. Settings come from the environment (HEARTH_…) and from the file that HEARTH_CONFIG names.')
  .version(version)
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });

program
  .command('up')
  .description('start the platform: gateway and control plane')
  .action(() => up(version, process.env));

program
  .command('doctor')
  .description('check what this machine can do for the platform')
  .option('--json', 'print a JSON document')
  .action((options: { json?: boolean }) => doctor(options, process.env));

const layers = program.command('layers').description('list and build layers of libraries, on a running platform');
const api = ['--api <url>', 'address of the control plane', 'http://127.0.0.1:8000'] as const;
layers
  .command('list', { isDefault: true })
  .description('list the layers')
  .option(...api)
  .option('--json', 'print a JSON document')
  .action(layersList);
layers
  .command('build <name>')
  .description('build a layer from a requirements file, or again from a changed one')
  .requiredOption('-r, --requirements <file>', 'the requirements file; - reads standard input')
  .option(...api)
  .option('--json', 'print a JSON document')
  .action(layersBuild);
layers
  .command('remove <name-or-id>')
  .description('forget a layer that no function uses')
  .option(...api)
  .action(layersRemove);

const secrets = program.command('secrets').description('set and list what functions must know and nobody else, on a running platform');
secrets
  .command('list', { isDefault: true })
  .description('list the secrets, without their values')
  .option(...api)
  .option('--json', 'print a JSON document')
  .action(secretsList);
secrets
  .command('set <name>')
  .description('set a secret; its value comes from standard input, or is asked for')
  .option('--from-file <file>', 'take the value from a file, as it is')
  .option(...api)
  .action(secretsSet);
secrets
  .command('delete <name>')
  .description('delete a secret that no function names')
  .option('--force', 'even if functions name it; they can not be started then')
  .option(...api)
  .action(secretsDelete);
secrets
  .command('rotate-key')
  .description('make a new key, and encrypt all secrets anew with it')
  .option(...api)
  .action(secretsRotateKey);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof HearthError) {
    process.stderr.write(`hearth: ${error.message}\n`);
    const { output } = error.extra;
    if (typeof output === 'string') process.stderr.write(`${output.trimEnd()}\n`);
    return 1;
  }
  process.stderr.write(`hearth: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}
