import { type Command, Option } from 'commander';
import { lazily } from './lazily.ts';
import type { OnPlatform } from './on-platform.ts';
import { atLeastOne, withJson } from './options.ts';

/** Commands about what ran, what waits, and what failed. */
export function invocationCommands(program: Command, onPlatform: OnPlatform): void {
  withJson(onPlatform(program.command('logs [function]')), 'print a line of JSON for each line')
    .description('print the last lines that a function, or all, printed; or what an instance of that id did')
    .option('-f, --follow', 'go on with those that come')
    .option('-n, --last <number>', 'lines back, at most; without this 20, of an instance, a call or --since all', atLeastOne)
    .addOption(new Option('--level <level>', 'only this level and those above it').choices(['trace', 'debug', 'info', 'warn', 'error', 'fatal']))
    .option('--since <time>', 'only what is not older: 10m, 12h, 7d, or a moment such as 2027-01-31T08:00')
    .option('--until <time>', 'only what is older')
    .option('--contains <text>', 'only lines with this in them; capital and small letters are the same')
    .option('--correlation-id <id>', 'only of this call')
    .action(lazily(async () => (await import('./functions/logs.ts')).logs));

  const invocations = program.command('invocations').description('what ran, on a running platform');
  withJson(onPlatform(invocations.command('list', { isDefault: true })))
    .description('list the last invocations')
    .option('--function <name>', 'only of this function')
    .addOption(new Option('--state <state>', 'only these').choices(['queued', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled']))
    .option('-n, --limit <number>', 'how many', atLeastOne, 20)
    .action(lazily(async () => (await import('./functions/invocations.ts')).invocationsList));
  withJson(onPlatform(invocations.command('show <id>')))
    .description('show one: its attempts, what it printed and, if it is kept, its result')
    .option('--wait <time>', 'until it is over, for so long at most, such as 30s')
    .action(lazily(async () => (await import('./functions/invocations.ts')).invocationsShow));
  withJson(onPlatform(invocations.command('cancel <id>')))
    .description('cancel one that is queued or runs; its caller is told so')
    .action(lazily(async () => (await import('./functions/invocations.ts')).invocationsCancel));
  withJson(onPlatform(invocations.command('replay <id>')))
    .description('run one that went through the queue again, with the same input, and print the id of the new one')
    .action(lazily(async () => (await import('./functions/invocations.ts')).invocationsReplay));

  const dead = program.command('dead-letters').description('asynchronous invocations that failed for good, on a running platform');
  withJson(onPlatform(dead.command('list', { isDefault: true })))
    .description('list them, the last first')
    .option('--function <name>', 'only of this function')
    .action(lazily(async () => (await import('./functions/dead-letters.ts')).deadLettersList));
  withJson(onPlatform(dead.command('show <id>')), 'what it does anyhow')
    .description('print one with its input, as a JSON document')
    .action(lazily(async () => (await import('./functions/dead-letters.ts')).deadLettersShow));
  withJson(onPlatform(dead.command('redrive [id]')))
    .description('run one again, or without an id all')
    .option('--function <name>', 'all of this function')
    .action(lazily(async () => (await import('./functions/dead-letters.ts')).deadLettersRedrive));
  withJson(onPlatform(dead.command('delete <id>')))
    .description('delete one, with its input')
    .action(lazily(async () => (await import('./functions/dead-letters.ts')).deadLettersDelete));

  const queues = program.command('queues').description('queues of a RabbitMQ that run functions, on a running platform');
  withJson(onPlatform(queues.command('list', { isDefault: true })))
    .description('list the queues, and how it stands with each')
    .action(lazily(async () => (await import('./queues.ts')).queuesList));
  withJson(onPlatform(queues.command('show <queue>')))
    .description('show one: its state and what came of its messages')
    .action(lazily(async () => (await import('./queues.ts')).queuesShow));

  withJson(onPlatform(program.command('nodes')))
    .description('list the nodes that work together, and what each is at')
    .action(lazily(async () => (await import('./nodes.ts')).nodesList));
}
