import type { Invocation, InvocationSummary } from '../../client/operations.ts';
import { printable } from '../../printable.ts';
import { call, type Target } from '../api-client.ts';
import { time } from '../instant.ts';
import { dim, duration, printJson, printTable } from '../print.ts';
import { table } from '../table.ts';

interface ListOptions extends Target {
  function?: string;
  state?: InvocationSummary['state'];
  limit: number;
  json?: boolean;
}

/** `hearth invocations list`: what ran, the newest first. */
export async function invocationsList(options: ListOptions): Promise<void> {
  const { function: name, state, limit } = options;
  const query = { limit, ...(name === undefined ? {} : { function: name }), ...(state === undefined ? {} : { state }) };
  const { invocations } = await call(options, 'GET /invocations', { query });
  if (options.json) {
    printJson(invocations);
    return;
  }
  printTable(
    ['ID', 'FUNCTION', 'STATE', 'STATUS', 'START', 'RUN', 'ACCEPTED'],
    invocations.map((one) => [
      one.id,
      one.function_name,
      one.state,
      String(one.status ?? '-'),
      one.start ?? '-',
      duration(one.run_ms),
      time(one.accepted_at),
    ]),
  );
}

/** `hearth invocations show`: one with its attempts and what it printed. */
export async function invocationsShow(id: string, options: Target & { json?: boolean; wait?: string }): Promise<void> {
  const found = await call(options, 'GET /invocations/{id}', { path: { id }, query: options.wait === undefined ? {} : { wait: options.wait } });
  if (options.json) {
    printJson(found);
    return;
  }
  process.stdout.write(table(rowsOf(found)));
  if (found.result?.body) process.stdout.write(`\n${dim('result')}\n${printable(found.result.body)}\n`);
  if (found.logs) process.stdout.write(`\n${dim('printed')}\n${printable(found.logs.trimEnd())}\n`);
}

function rowsOf(found: Invocation): [string, string][] {
  return [
    ['id', found.id],
    ['function', `${found.function_name}, version ${found.version}`],
    ['state', found.status === null ? found.state : `${found.state}, status ${found.status}`],
    ['asked by', `${found.trigger}: ${found.verb} ${found.path}`],
    ['accepted', time(found.accepted_at)],
    ['queue', duration(found.queue_ms)],
    ['start', found.start === null ? '-' : `${duration(found.start_ms)}, ${found.start}`],
    ['run', duration(found.run_ms)],
    ['attempts', String(found.attempts.length)],
    ...(found.error_message === null ? [] : [['error', `${found.error_code}: ${found.error_message}`] as [string, string]]),
    ...(found.dead_reason === null ? [] : [['dead letter', found.dead_reason] as [string, string]]),
  ];
}

/** `hearth invocations cancel`: also one that runs. */
export async function invocationsCancel(id: string, options: Target & { json?: boolean }): Promise<void> {
  const done = await call(options, 'DELETE /invocations/{id}', { path: { id } });
  if (options.json) printJson(done);
  else process.stdout.write(`${id} is ${done.state}.\n`);
}

/** `hearth invocations replay`: prints the id of the new one. */
export async function invocationsReplay(id: string, options: Target & { json?: boolean }): Promise<void> {
  const done = await call(options, 'POST /invocations/{id}/replay', { path: { id } });
  if (options.json) printJson(done);
  else process.stdout.write(`${done.id}\n`);
}
