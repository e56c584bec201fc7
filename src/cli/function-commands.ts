import { type Command, InvalidArgumentError, Option } from 'commander';
import { lazily } from './lazily.ts';
import type { OnPlatform } from './on-platform.ts';

/** Commands about functions and what they did. */
export function functionCommands(program: Command, onPlatform: OnPlatform): void {
  program
    .command('init <folder>')
    .description('make a project of one function, ready to be deployed')
    .option('-t, --template <name>', 'python, python-script, javascript, typescript or server', 'python')
    .action(lazily(async () => (await import('./init/init.ts')).init));

  withGateway(onPlatform(program.command('dev [folder]')))
    .description('deploy a project, again whenever a file of it changes, and print what its functions print')
    .action(lazily(async () => (await import('./dev.ts')).dev));

  withGateway(onPlatform(program.command('deploy [folder]')))
    .description('deploy the functions of a project (hearth.json or hearth.yaml) to a running platform')
    .option('--dry-run', 'only say what would be deployed')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./deploy/deploy.ts')).deploy));

  onPlatform(program.command('create'))
    .description('register one file as a function')
    .requiredOption('--name <name>', 'of the function')
    .requiredOption('--code-file <file>', 'its code; from .js, .mjs, .cjs and .ts its runtime is told to be nodejs')
    .option('--http-verb <verb>', 'that it is called by; without this, all')
    .option('--http-path <path>', 'that it is called at, such as /echo')
    .option('--on <event-key>', 'instead of the two: an event key such as "cron|0 6 * * *"')
    .option('--runtime <runtime>', 'python, nodejs, or a version of it such as nodejs26')
    .option('--requirements <file>', 'a requirements.txt')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/create.ts')).create));

  onPlatform(program.command('list'))
    .description('list the functions')
    .option('--filter <text>', 'only those with this in their name or event key')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/list.ts')).list));

  onPlatform(program.command('show <function>'))
    .description('show the settings of a function, or its code')
    .option('--code', 'print only its code')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/show.ts')).show));

  withPayload(withGateway(onPlatform(program.command('invoke <function>'))))
    .description('call a function and print its answer; exit code 1 for a status of 400 or more')
    .option('--verb <verb>', "without this, the event key's")
    .option('--path <path>', "with the query; without this, the event key's")
    .option('--async', 'have it run later, and print its id')
    .option('-i, --include', 'print status and headers too, to standard error')
    .option('--timing', 'print where the time went, to standard error')
    .action(lazily(async () => (await import('./functions/invoke.ts')).invoke));

  withPayload(onPlatform(program.command('trigger')))
    .description('have the functions of an event key run, and print in which instances; answers go nowhere')
    .requiredOption('--http-path <path>', 'such as /echo')
    .option('--http-verb <verb>', 'such as POST', 'POST')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/trigger.ts')).trigger));

  withPayload(withGateway(onPlatform(program.command('bench <function>'))))
    .description('call a function over and over, and tell how long that took')
    .option('--path <path>', "with the query; without this, the event key's")
    .option('-c, --connections <number>', 'that call at a time', atLeastOne, 1)
    .option('-d, --duration <seconds>', 'how long', positive, 5)
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/bench.ts')).bench));

  onPlatform(program.command('logs [function]'))
    .description('print what the last calls of a function, or of all, printed; or what an instance of that id did')
    .option('-f, --follow', 'go on with those that come')
    .option('-n, --last <number>', 'calls back', atLeastOne, 20)
    .option('--json', 'print a line of JSON for each call')
    .action(lazily(async () => (await import('./functions/logs.ts')).logs));

  const invocations = program.command('invocations').description('what ran, on a running platform');
  onPlatform(invocations.command('list', { isDefault: true }))
    .description('list the last invocations')
    .option('--function <name>', 'only of this function')
    .addOption(new Option('--state <state>', 'only these').choices(['queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled']))
    .option('-n, --limit <number>', 'how many', atLeastOne, 20)
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/invocations.ts')).invocationsList));
  onPlatform(invocations.command('show <id>'))
    .description('show one: its attempts, what it printed and, if it is kept, its result')
    .option('--wait <time>', 'until it is over, for so long at most, such as 30s')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/invocations.ts')).invocationsShow));

  onPlatform(program.command('instances [function]').alias('list-instances'))
    .description('list the sandboxes that hold a function')
    .option('--all', 'those that have stopped, too')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/instances.ts')).instances));
  onPlatform(program.command('lookup-instance <id>'))
    .description('show one of them, also when it has stopped')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/instances.ts')).lookUpInstance));

  onPlatform(program.command('versions <function>'))
    .description('list the versions of a function, the newest first')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/versions.ts')).versions));
  onPlatform(program.command('rollback <function>'))
    .description('make an earlier version current again')
    .option('--to <version>', 'its number; without this, the one before', atLeastOne)
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/versions.ts')).rollback));
  onPlatform(program.command('delete <function>'))
    .description('delete a function; its versions and records stay')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/versions.ts')).remove));

  const dead = program.command('dead-letters').description('asynchronous invocations that failed for good, on a running platform');
  onPlatform(dead.command('list', { isDefault: true }))
    .description('list them, the last first')
    .option('--function <name>', 'only of this function')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/dead-letters.ts')).deadLettersList));
  onPlatform(dead.command('show <id>'))
    .description('print one with its input, as a JSON document')
    .action(lazily(async () => (await import('./functions/dead-letters.ts')).deadLettersShow));
  onPlatform(dead.command('redrive [id]'))
    .description('run one again, or without an id all')
    .option('--function <name>', 'all of this function')
    .action(lazily(async () => (await import('./functions/dead-letters.ts')).deadLettersRedrive));
  onPlatform(dead.command('delete <id>'))
    .description('delete one, with its input')
    .action(lazily(async () => (await import('./functions/dead-letters.ts')).deadLettersDelete));

  onPlatform(program.command('top'))
    .description('show who is called how often, anew every second')
    .option('--interval <seconds>', 'between two looks', positive, 1)
    .option('--once', 'look once')
    .option('--json', 'print a JSON document for each look')
    .action(lazily(async () => (await import('./top.ts')).top));
}

function withGateway(command: Command): Command {
  return command.option('--gateway <url>', 'address of the gateway', 'http://127.0.0.1:5000');
}

function withPayload(command: Command): Command {
  return command
    .option('--data <text>', 'what it is given: the text itself, @FILE, or - for standard input')
    .option('-H, --header <line>', '"Name: value"; may be there several times', (line: string, before: string[]) => [...before, line], []);
}

function atLeastOne(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It is to be a whole number from 1 on.');
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || value > 86_400) throw new InvalidArgumentError('It is to be a number of seconds.');
  return value;
}
