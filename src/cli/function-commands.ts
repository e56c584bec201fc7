import type { Command } from 'commander';
import { lazily } from './lazily.ts';
import type { OnPlatform } from './on-platform.ts';
import { atLeastOne, percent, positive, withGateway, withJson, withPayload } from './options.ts';

/** Commands about functions: to write, call and watch them. */
export function functionCommands(program: Command, onPlatform: OnPlatform): void {
  withJson(program.command('init <folder>'))
    .description('make a project of one function, ready to be deployed')
    .option('-t, --template <name>', 'python, python-script, javascript, typescript or server', 'python')
    .action(lazily(async () => (await import('./init/init.ts')).init));

  withJson(withGateway(onPlatform(program.command('dev [folder]'))), 'print a line of JSON for each deploy and each call')
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
    .requiredOption('-f, --code-file <file>', 'its code; from .js, .mjs, .cjs and .ts its runtime is told to be nodejs')
    .option('-X, --http-verb <verb>', 'that it is called by; without this, all')
    .option('-P, --http-path <path>', 'that it is called at, such as /echo')
    .option('--on <event-key>', 'instead of the two: an event key such as "cron|0 6 * * *"')
    .option('--runtime <runtime>', 'python, nodejs, or a version of it such as nodejs26')
    .option('--requirements <file>', 'a requirements.txt')
    .option('--error-logs', 'tell callers the last lines of a call that failed')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/create.ts')).create));

  onPlatform(program.command('list'))
    .description('list the functions')
    .option('--filter <text>', 'only those with this in their name or event key, or that fit it where it has * or ?')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/list.ts')).list));

  onPlatform(program.command('show <function>'))
    .description('show the settings of a function, or its code')
    .option('--code', 'print only its code')
    .option('--of <version>', 'of an earlier version; without this, of the current one', atLeastOne)
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/show.ts')).show));

  withPayload(withGateway(onPlatform(program.command('invoke <function>'))))
    .description('call a function and print its answer; exit code 1 for a status of 400 or more')
    .option('--verb <verb>', "without this, the event key's")
    .option('--path <path>', "with the query; without this, the event key's")
    .option('--async', 'have it run later, and print its id')
    .option('-i, --include', 'print status and headers too, to standard error')
    .option('--timing', 'print where the time went, to standard error')
    .option('--json', 'print a JSON document: status, headers, body and where the time went')
    .action(lazily(async () => (await import('./functions/invoke.ts')).invoke));

  withPayload(onPlatform(program.command('trigger')))
    .description('have the functions of an event key run, and print in which instances; answers go nowhere')
    .requiredOption('-P, --http-path <path>', 'such as /echo')
    .option('-X, --http-verb <verb>', 'such as POST', 'POST')
    .option('--http-body <text>', 'instead of --data: what a script finds as HTTP_BODY, such as {"body": 1}')
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/trigger.ts')).trigger));

  withPayload(withGateway(onPlatform(program.command('bench <function>'))), '--data <text>')
    .description('call a function over and over, and tell how long that took')
    .option('--path <path>', "with the query; without this, the event key's")
    .option('-c, --connections <number>', 'that call at a time', atLeastOne, 1)
    .option('-d, --duration <seconds>', 'how long', positive, 5)
    .option('--json', 'print a JSON document')
    .action(lazily(async () => (await import('./functions/bench.ts')).bench));

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

  const traffic = program.command('traffic').description('calls of a function that are split between its versions, on a running platform');
  withJson(onPlatform(traffic.command('show <function>')))
    .description('show how they are split, and what came of them')
    .action(lazily(async () => (await import('./functions/traffic.ts')).trafficShow));
  withJson(onPlatform(traffic.command('set <function> <version=percent...>')))
    .description('split them, such as: traffic set echo 3=90 4=10')
    .option('--sticky <header>', 'callers with the same value of this header stay with one version')
    .option('--rollback-above <percent>', 'take the share of the newest version away when more of its calls fail', percent)
    .option('--calls <number>', 'calls before anything is concluded from them', atLeastOne, 20)
    .option('--window <seconds>', 'how far back calls count', positive, 60)
    .action(lazily(async () => (await import('./functions/traffic.ts')).trafficSet));
  withJson(onPlatform(traffic.command('end <function>')))
    .description('give all calls to the current version again')
    .action(lazily(async () => (await import('./functions/traffic.ts')).trafficEnd));

  onPlatform(program.command('top'))
    .description('show who is called how often, anew every second')
    .option('--interval <seconds>', 'between two looks', positive, 1)
    .option('--once', 'look once')
    .option('--json', 'print a line of JSON for each look')
    .action(lazily(async () => (await import('./top.ts')).top));
}
