import { setTimeout as sleep } from 'node:timers/promises';
import type { Invocation, InvocationSummary } from '../../client/operations.ts';
import { HearthError } from '../../errors.ts';
import { printable } from '../../printable.ts';
import { call, type Target } from '../api-client.ts';
import { time } from '../instant.ts';
import { dim } from '../print.ts';

interface LogsOptions extends Target {
  follow?: boolean;
  /** How many invocations back. */
  last: number;
  json?: boolean;
}

const LOOK_MS = 500;
/** Invocations that are asked for at each look. */
const LOOK_BACK = 100;
/** Of invocations that were seen, so that none is printed twice. */
const REMEMBERED = 2000;

/** `hearth logs`: what the last calls printed, of one function or of all; with `--follow`, what the next ones print, once they are over. Of an instance's id: what that printed. */
export async function logs(name: string | undefined, options: LogsOptions): Promise<void> {
  if (name !== undefined && (await printedByInstance(name, options))) return;
  const seen = new Set<string>();
  await printNew(name, options, seen, options.last);
  while (options.follow) {
    await sleep(LOOK_MS);
    await printNew(name, options, seen, LOOK_BACK);
    for (const id of [...seen].slice(0, Math.max(0, seen.size - REMEMBERED))) seen.delete(id);
  }
}

async function printedByInstance(id: string, options: LogsOptions): Promise<boolean> {
  if (!/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(id)) return false;
  try {
    const response = await call(options, 'GET /functions/instances/{id}/logs', { path: { id } });
    const text = await response.text();
    process.stdout.write(options.json ? `${JSON.stringify({ instance_id: id, logs: text })}\n` : printable(text));
    return true;
  } catch (error) {
    if (error instanceof HearthError && error.code === 'not_found') return false;
    throw error;
  }
}

/** Those that are over and weren't there before, the oldest first; of many the last. */
async function printNew(name: string | undefined, options: LogsOptions, seen: Set<string>, most: number): Promise<void> {
  const query = { limit: Math.max(most, LOOK_BACK), ...(name === undefined ? {} : { function_name: name }) };
  const { invocations } = await call(options, 'GET /invocations', { query });
  const over = invocations.filter((one) => isOver(one) && !seen.has(one.id));
  for (const { id } of over) seen.add(id);
  for (const { id } of over.slice(0, most).reverse()) {
    // Deleted for its age meanwhile: then there is nothing to print.
    const found = await call(options, 'GET /invocations/{id}', { path: { id } }).catch(() => undefined);
    if (found) print(found, options);
  }
}

function isOver({ ended_at: endedAt }: InvocationSummary): boolean {
  return endedAt !== null;
}

function print(found: Invocation, { json }: LogsOptions): void {
  const { id, function_name: name, accepted_at: at, state, status, logs: text, error_message: error } = found;
  if (json) {
    process.stdout.write(`${JSON.stringify({ id, function_name: name, accepted_at: at, state, status, error_message: error, logs: text })}\n`);
    return;
  }
  const head = `${time(at)} ${name} ${id} ${status ?? state}`;
  const lines = [...(error === null ? [] : [error]), ...(text ?? '').replace(/\n$/, '').split('\n')];
  process.stdout.write(`${lines.map((line) => `${dim(head)} ${printable(line).trimEnd()}`.trimEnd()).join('\n')}\n`);
}
