import type { InvocationSummary } from '../../client/operations.ts';
import { call, type Target } from '../api-client.ts';
import { time } from '../instant.ts';
import { printJson, printTable } from '../print.ts';

interface ListOptions extends Target {
  function?: string;
  json?: boolean;
}

const PAGE = 999;

/** `hearth dead-letters list`: asynchronous invocations that failed for good. */
export async function deadLettersList(options: ListOptions): Promise<void> {
  const all: InvocationSummary[] = [];
  for (let before: number | null | undefined; before !== null; ) {
    const query = {
      limit: PAGE,
      ...(options.function === undefined ? {} : { function: options.function }),
      ...(before === undefined ? {} : { before }),
    };
    const page: { dead_letters: InvocationSummary[]; next_before: number | null } = await call(options, 'GET /dead-letters', { query });
    all.push(...page.dead_letters);
    before = page.next_before;
  }
  if (options.json) {
    printJson(all);
    return;
  }
  printTable(
    ['ID', 'FUNCTION', 'ENDED', 'ATTEMPTS', 'WHY', 'ERROR'],
    all.map((one) => [
      one.id,
      one.function_name,
      one.ended_at === null ? '-' : time(one.ended_at),
      String(one.attempt),
      one.dead_reason ?? '-',
      one.error_message ?? one.error_code ?? '-',
    ]),
  );
}

export async function deadLettersShow(id: string, options: Target): Promise<void> {
  printJson(await call(options, 'GET /dead-letters/{id}', { path: { id } }));
}

/** One, or those of one function, or all. */
export async function deadLettersRedrive(id: string | undefined, options: Target & { function?: string; json?: boolean }): Promise<void> {
  if (id !== undefined) {
    const done = await call(options, 'POST /dead-letters/{id}/redrive', { path: { id } });
    if (options.json) printJson(done);
    else process.stdout.write(`${id} is queued again: \`hearth invocations show ${id}\` tells what comes of it.\n`);
    return;
  }
  const query = options.function === undefined ? {} : { function: options.function };
  const done = await call(options, 'POST /dead-letters/redrive', { query });
  const { redriven } = done;
  if (options.json) printJson(done);
  else process.stdout.write(`${redriven} ${redriven === 1 ? 'is' : 'are'} queued again.\n`);
}

export async function deadLettersDelete(id: string, options: Target & { json?: boolean }): Promise<void> {
  const done = await call(options, 'DELETE /dead-letters/{id}', { path: { id } });
  if (options.json) printJson(done);
  else process.stdout.write(`The dead letter ${id} is deleted, with its input.\n`);
}
