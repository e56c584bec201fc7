import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Case, Section } from '../lib/case.ts';
import { PROGRAMS } from '../lib/folders.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { runCommand } from '../lib/run-command.ts';
import { median, percentile } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';
import { load } from '../lib/wrk.ts';

const CALLERS = 32;
const BODY = '{"name": "Valera"}';

interface Backlog {
  backlog: number;
  openMs: number;
  acceptedPerSecond: number;
  batch: number;
  rawPerSecond: number;
  endedPerSecond: number;
  rssMiB: number;
  grownMiB: number;
}

/** How fast asynchronous invocations are accepted and run, and what a backlog costs. */
export const queue: Case = {
  name: 'queue',
  summary: 'asynchronous invocations: durable accepts per second, time to dispatch, a backlog of a million',
  async run({ options, say }: Bench): Promise<Section[]> {
    return [
      await throughPlatform(options, say),
      await backlogs(options.quick ? [1000, 50_000] : [1000, 1_000_000], options.rounds, options.seconds * 3, say),
    ];
  },
};

async function throughPlatform(options: Bench['options'], say: Bench['say']): Promise<Section> {
  await using cleanUp = new AsyncDisposableStack();
  const platform = cleanUp.use(await BenchPlatform.start({ libraries: false, environment: { HEARTH_LOG_LEVEL: 'warn' } }));
  const code = await readFile(`${PROGRAMS}hello.py`, 'utf8');
  const url = await platform.define('hello', code, { network: 'none', async: 'always' });

  say('dispatch when idle');
  // The first finds no instance.
  const { id: first } = (await (await fetch(url, { method: 'POST', body: BODY })).json()) as { id: string };
  await fetch(`${platform.api}/invocations/${first}?wait=30s`);
  const lags: number[] = [];
  for (let call = 0; call < options.count; call++) {
    const accepted = await fetch(url, { method: 'POST', body: BODY });
    const { id } = (await accepted.json()) as { id: string };
    const record = (await (await fetch(`${platform.api}/invocations/${id}?wait=30s`)).json()) as {
      accepted_at: number;
      queue_ms: number;
      attempts: { started_at: number }[];
    };
    lags.push((record.attempts[0]?.started_at ?? Number.NaN) + record.queue_ms - record.accepted_at);
    await sleep(20);
  }

  const later = { url, body: BODY, headers: { 'X-Hearth-Delay': '1h' } };
  const now = { url, body: BODY };
  const rates = { later: [] as number[], now: [] as number[] };
  for (let round = 0; round < options.rounds; round++) {
    say(`round ${round + 1} of ${options.rounds}`);
    rates.later.push((await load(later, CALLERS, options.seconds)).requestsPerSecond);
    rates.now.push((await load(now, CALLERS, options.seconds)).requestsPerSecond);
    await sleep(1000);
  }
  return {
    title: 'Asynchronous invocations: acceptance and dispatch',
    notes: [
      `wrk, ${CALLERS} connections, closed loop, one thread, against the gateway of one platform (${platform.isolation}); every 202 is on the disk (fsync) before it leaves. wrk, platform and function share the cores.`,
      'Time to dispatch: from the commit of the acceptance to the start of the run in a warm instance, one call at a time.',
    ],
    columns: ['p50', 'p99'],
    rows: [
      { label: 'accepted per second, to be run in an hour', cells: [median(rates.later), null] },
      { label: 'accepted per second, while they are run as well', cells: [median(rates.now), null] },
      { label: 'time to dispatch when idle, ms', cells: [median(lags), percentile(lags, 0.99)] },
    ],
    raw: { rates, lags },
  };
}

async function backlogs(sizes: readonly number[], rounds: number, seconds: number, say: Bench['say']): Promise<Section> {
  const runs = sizes.map((): Backlog[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, size] of sizes.entries()) {
      say(`round ${round + 1} of ${rounds}: a backlog of ${size}`);
      const output = await runCommand(process.execPath, [join(PROGRAMS, 'queue-backlog.ts'), String(size), String(seconds)]);
      runs[index]?.push(JSON.parse(output.trim().split('\n').at(-1) as string) as Backlog);
    }
  }
  const measured = runs.map(medians);
  const [small] = measured as [Backlog];
  return {
    title: 'Asynchronous invocations: a backlog',
    notes: [
      `Queue and dispatcher in a process of their own, without HTTP and with functions that answer at once; ${CALLERS} callers, then 8 slots, ${seconds} s each; medians of ${rounds} round(s), in turn. Whatever ends is followed by a new one, so that the backlog stays.`,
      'Raw: the same rows by SQLite in one thread, in transactions of the size that group commit came to, on the disk after each.',
    ],
    columns: ['accepts/s', 'per commit', 'raw rows/s', 'to raw', 'runs/s', 'accepts to first row', 'runs to first row', 'memory MiB', 'open ms'],
    rows: measured.map((one) => ({
      label: `${one.backlog.toLocaleString('en')} waiting`,
      cells: [
        one.acceptedPerSecond,
        one.batch,
        one.rawPerSecond,
        ratio(one.acceptedPerSecond, one.rawPerSecond),
        one.endedPerSecond,
        ratio(one.acceptedPerSecond, small.acceptedPerSecond),
        ratio(one.endedPerSecond, small.endedPerSecond),
        one.rssMiB,
        one.openMs,
      ],
    })),
    raw: runs,
  };
}

/** Of each figure by itself. */
function medians(runs: readonly Backlog[]): Backlog {
  const names = Object.keys(runs[0] as Backlog) as (keyof Backlog)[];
  return Object.fromEntries(names.map((name) => [name, median(runs.map((run) => run[name]))])) as unknown as Backlog;
}
