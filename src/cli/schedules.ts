import type { ResponseOf } from '../client/client.ts';
import type { ScheduleSummary } from '../client/operations.ts';
import { call, type Target } from './api-client.ts';
import { time } from './instant.ts';
import { printJson } from './print.ts';
import { table } from './table.ts';

export async function schedulesList(options: Target & { json?: boolean }): Promise<void> {
  const all: ScheduleSummary[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const page: ResponseOf<'GET /schedules'> = await call(options, 'GET /schedules', { query: { limit: 1000, after } });
    all.push(...page.schedules);
    after = page.next_after;
  }
  if (options.json) {
    process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
    return;
  }
  const rows = all.map(({ function_name, event_type, paused, next_due_at, failures_in_a_row, last_firing, last_outcome }) => [
    function_name,
    event_type.replace(/^cron\|/, ''),
    paused ? 'paused' : next_due_at === null ? 'never' : time(next_due_at),
    last_firing === null ? 'never' : time(last_firing.scheduled_at),
    last_outcome?.state ?? '-',
    String(failures_in_a_row),
  ]);
  process.stdout.write(table([['FUNCTION', 'WHEN', 'NEXT', 'LAST', 'OUTCOME', 'FAILURES'], ...rows]));
}

export async function schedulesShow(functionName: string, options: Target & { json?: boolean }): Promise<void> {
  const found = await call(options, 'GET /schedules/{function_name}', of(functionName));
  if (options.json) {
    process.stdout.write(`${JSON.stringify(found, null, 2)}\n`);
    return;
  }
  const { on_failure: failure, on_recovery: recovery } = found;
  process.stdout.write(
    table([
      ['when', found.event_type.replace(/^cron\|/, '')],
      ['paused', found.paused ? 'yes' : 'no'],
      ['missed', `${found.missed}, within ${found.missed_within_s} s`],
      ['overlap', found.overlap],
      ['jitter', `${found.jitter_s} s`],
      ['failures', `${found.failures_in_a_row} in a row`],
      ['on failure', failure ? `${failure.function}, after ${failure.after}` : '-'],
      ['on recovery', recovery ? recovery.function : '-'],
      ...found.next_firings.map((at, index) => [index === 0 ? 'next' : '', time(at)]),
    ]),
  );
  const rows = found.firings.map(({ id, scheduled_at, kind, state, reason }) => [
    time(scheduled_at),
    kind,
    state,
    reason ?? '',
    state === 'skipped' ? '' : id,
  ]);
  process.stdout.write(`\n${table([['SCHEDULED', 'KIND', 'STATE', 'REASON', 'INVOCATION'], ...rows])}`);
}

export async function schedulesPause(functionName: string, options: Target & { json?: boolean }): Promise<void> {
  const done = await call(options, 'POST /schedules/{function_name}/pause', of(functionName));
  if (options.json) printJson(done);
  else process.stdout.write(`The schedule of ${functionName} is paused; \`hearth schedules resume ${functionName}\` lets it go on.\n`);
}

export async function schedulesResume(functionName: string, options: Target & { json?: boolean }): Promise<void> {
  const done = await call(options, 'POST /schedules/{function_name}/resume', of(functionName));
  const { next_due_at: next } = done;
  if (options.json) printJson(done);
  else process.stdout.write(`The schedule of ${functionName} goes on${next === null ? '' : `; next at ${time(next)}`}.\n`);
}

export async function schedulesRun(functionName: string, options: Target & { json?: boolean }): Promise<void> {
  const done = await call(options, 'POST /schedules/{function_name}/run', of(functionName));
  if (options.json) printJson(done);
  else process.stdout.write(`${done.id}\n`);
}

function of(functionName: string): { path: { function_name: string } } {
  return { path: { function_name: functionName } };
}
