import { type Command, Option } from 'commander';
import { lazily } from './lazily.ts';
import type { OnPlatform } from './on-platform.ts';
import { atLeastOne, withJson } from './options.ts';

/** Commands about what functions need: layers, tokens, secrets, schedules and API keys. */
export function resourceCommands(program: Command, onPlatform: OnPlatform): void {
  const layers = program.command('layers').description('list and build layers of libraries, on a running platform');
  withJson(onPlatform(layers.command('list', { isDefault: true })))
    .description('list the layers')
    .action(lazily(async () => (await import('./layers.ts')).layersList));
  withJson(onPlatform(layers.command('build <name>')))
    .description('build a layer from a requirements file or a package.json, or again from a changed one')
    .option('-r, --requirements <file>', 'a requirements.txt, for Python; - reads standard input')
    .option('-p, --package-json <file>', 'a package.json, for Node.js; - reads standard input')
    .option('--package-lock <file>', 'the package-lock.json that belongs to it')
    .option('--allow-scripts', 'let packages run their install scripts')
    .option('--runtime <name>', 'such as nodejs24, where the platform has several versions of Node.js')
    .action(lazily(async () => (await import('./layers.ts')).layersBuild));
  withJson(onPlatform(layers.command('remove <name-or-id>')))
    .description('forget a layer that no function uses')
    .action(lazily(async () => (await import('./layers.ts')).layersRemove));

  const tokens = program.command('tokens').description('make, list and revoke tokens for the control plane of a running platform');
  withJson(onPlatform(tokens.command('create')))
    .description('make a token and print it; it is shown this once')
    .requiredOption('--name <name>', 'what it is known by: letters, digits, _ - . @')
    .addOption(new Option('--role <role>', 'what it may do').choices(['read', 'deploy', 'admin']).makeOptionMandatory())
    .option('--expires <when>', 'never, a time from now like 12h, 30d or 1y, or a date', 'never')
    .action(lazily(async () => (await import('./tokens.ts')).tokensCreate));
  withJson(onPlatform(tokens.command('list', { isDefault: true })))
    .description('list the tokens, without their texts')
    .action(lazily(async () => (await import('./tokens.ts')).tokensList));
  withJson(onPlatform(tokens.command('revoke <name-or-id>')))
    .description('refuse a token from now on')
    .action(lazily(async () => (await import('./tokens.ts')).tokensRevoke));

  const secrets = program.command('secrets').description('set and list what functions must know and nobody else, on a running platform');
  withJson(onPlatform(secrets.command('list', { isDefault: true })))
    .description('list the secrets, without their values')
    .action(lazily(async () => (await import('./secrets.ts')).secretsList));
  withJson(onPlatform(secrets.command('set <name>')))
    .description('set a secret; its value comes from standard input, or is asked for')
    .option('--from-file <file>', 'take the value from a file, as it is')
    .action(lazily(async () => (await import('./secrets.ts')).secretsSet));
  withJson(onPlatform(secrets.command('delete <name>')))
    .description('delete a secret that no function names')
    .option('--force', 'even if functions name it; they can not be started then')
    .action(lazily(async () => (await import('./secrets.ts')).secretsDelete));
  withJson(onPlatform(secrets.command('rotate-key')))
    .description('make a new key, and encrypt all secrets anew with it')
    .action(lazily(async () => (await import('./secrets.ts')).secretsRotateKey));

  const schedules = program.command('schedules').description('functions that are run by the clock, on a running platform');
  withJson(onPlatform(schedules.command('list', { isDefault: true })))
    .description('list the schedules: when they are due next, and how the last one ended')
    .action(lazily(async () => (await import('./schedules.ts')).schedulesList));
  withJson(onPlatform(schedules.command('show <function>')))
    .description('show one: its settings, next instants and last firings')
    .action(lazily(async () => (await import('./schedules.ts')).schedulesShow));
  withJson(onPlatform(schedules.command('pause <function>')))
    .description('fire no more until it is resumed')
    .action(lazily(async () => (await import('./schedules.ts')).schedulesPause));
  withJson(onPlatform(schedules.command('resume <function>')))
    .description('fire again, from the next instant on')
    .action(lazily(async () => (await import('./schedules.ts')).schedulesResume));
  withJson(onPlatform(schedules.command('run <function>')))
    .description('fire now, and print the id of the invocation')
    .action(lazily(async () => (await import('./schedules.ts')).schedulesRun));

  const keys = program.command('keys').description('API keys of a function, on a running platform');
  withJson(onPlatform(keys.command('create <function> <name>')))
    .description('make a key and print it; it is shown this once')
    .option('--rate <requests/seconds[/burst]>', 'how often its holder may call, such as 100/60')
    .option('--expires <when>', 'never, a time from now like 12h, 30d or 1y, or a date', 'never')
    .action(lazily(async () => (await import('./keys.ts')).keysCreate));
  withJson(onPlatform(keys.command('list <function>')))
    .description('list the keys, without their secrets')
    .action(lazily(async () => (await import('./keys.ts')).keysList));
  withJson(onPlatform(keys.command('revoke <function> <name-or-id>')))
    .description('let nobody in with that key any more')
    .action(lazily(async () => (await import('./keys.ts')).keysRevoke));

  withJson(onPlatform(program.command('audit')))
    .description('list who changed what, the newest first')
    .option('--since <when>', 'so long ago, like 12h or 30d, or since a date')
    .option('-n, --limit <number>', 'entries at most', atLeastOne, 100)
    .action(lazily(async () => (await import('./audit.ts')).audit));
}
