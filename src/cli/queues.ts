import type { Queue } from '../client/operations.ts';
import { call, type Target } from './api-client.ts';
import { time } from './instant.ts';
import { printJson, printTable } from './print.ts';
import { table } from './table.ts';

/** `hearth queues list`: queues of the operator's broker that run functions. */
export async function queuesList(options: Target & { json?: boolean }): Promise<void> {
  const { queues } = await call(options, 'GET /queues');
  if (options.json) {
    printJson(queues);
    return;
  }
  printTable(
    ['QUEUE', 'STATE', 'FUNCTIONS', 'IN HAND', 'RECEIVED', 'DEAD LETTERS'],
    queues.map((one) => [one.queue, one.state, one.functions.join(', '), String(one.unacked), String(one.received), String(one.dead_lettered)]),
  );
}

/** `hearth queues show` */
export async function queuesShow(queue: string, options: Target & { json?: boolean }): Promise<void> {
  const found = await call(options, 'GET /queues/{queue}', { path: { queue } });
  if (options.json) printJson(found);
  else process.stdout.write(table(rowsOf(found)));
}

function rowsOf(found: Queue): [string, string][] {
  return [
    ['state', `${found.state} since ${time(found.since)}${found.error === null ? '' : `: ${found.error}`}`],
    ['functions', found.functions.join(', ')],
    ['in hand', `${found.unacked}, and room for ${found.free}`],
    ['received', `${found.received}, ${found.redelivered} of them again`],
    ['succeeded', String(found.succeeded)],
    ['retried', String(found.retried)],
    ['dead letters', String(found.dead_lettered)],
    ['given back', String(found.requeued)],
  ];
}
