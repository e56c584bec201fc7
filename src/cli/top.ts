import { setTimeout as sleep } from 'node:timers/promises';
import { call, type Target } from './api-client.ts';
import { duration } from './print.ts';
import { table } from './table.ts';

interface TopOptions extends Target {
  /** Seconds. */
  interval: number;
  once?: boolean;
  json?: boolean;
}

/** Of one moment: by function what /metrics has counted, and what is there now. */
interface Moment {
  at: number;
  invocations: Map<string, number>;
  failures: Map<string, number>;
  runSeconds: Map<string, number>;
  platform: Map<string, number>;
  states: Map<string, Map<string, number>>;
}

interface Row {
  function: string;
  /** A second, since the moment before; or since the start of the platform. */
  calls_per_s: number;
  failures_per_s: number;
  mean_run_ms: number | null;
  instances: Readonly<Record<string, number>>;
}

/** `hearth top`: who is called how often, and what is there for it; anew every interval, until Ctrl-C. */
export async function top(options: TopOptions): Promise<void> {
  let before = await momentOf(options);
  for (;;) {
    await sleep(options.interval * 1000);
    const now = await momentOf(options);
    const rows = rowsOf(before, now);
    before = now;
    if (options.json) process.stdout.write(`${JSON.stringify(rows)}\n`);
    else process.stdout.write((process.stdout.isTTY && !options.once ? '\u001b[H\u001b[J' : '') + textOf(now, rows));
    if (options.once) return;
  }
}

async function momentOf(target: Target): Promise<Moment> {
  const [metrics, { instances }] = await Promise.all([
    call(target, 'GET /metrics').then((response) => response.text()),
    call(target, 'GET /functions/instances', { query: { limit: 1000 } }),
  ]);
  const moment: Moment = {
    at: performance.now(),
    invocations: new Map(),
    failures: new Map(),
    runSeconds: new Map(),
    platform: new Map(),
    states: new Map(),
  };
  for (const line of metrics.split('\n')) {
    const [, name, labels = '', value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
    if (name === undefined || line.startsWith('#')) continue;
    const of = /faas_name="([^"]*)"/.exec(labels)?.[1];
    if (of === undefined) add(moment.platform, name, Number(value));
    else if (name === 'faas_invocations_total') {
      add(moment.invocations, of, Number(value));
      if (!labels.includes('outcome="succeeded"')) add(moment.failures, of, Number(value));
    } else if (name === 'faas_invoke_duration_seconds_sum') add(moment.runSeconds, of, Number(value));
  }
  for (const { function_name: name, state } of instances) {
    const states = moment.states.get(name) ?? new Map<string, number>();
    add(states, state, 1);
    moment.states.set(name, states);
  }
  return moment;
}

function add(counts: Map<string, number>, name: string, more: number): void {
  counts.set(name, (counts.get(name) ?? 0) + more);
}

function rowsOf(before: Moment, now: Moment): Row[] {
  const seconds = (now.at - before.at) / 1000;
  const grown = (which: 'invocations' | 'failures' | 'runSeconds', name: string): number =>
    (now[which].get(name) ?? 0) - (before[which].get(name) ?? 0);
  const names = new Set([...now.invocations.keys(), ...now.states.keys()]);
  return [...names]
    .map((name) => {
      const calls = grown('invocations', name);
      return {
        function: name,
        calls_per_s: calls / seconds,
        failures_per_s: grown('failures', name) / seconds,
        mean_run_ms: calls > 0 ? (grown('runSeconds', name) / calls) * 1000 : null,
        instances: Object.fromEntries(now.states.get(name) ?? []),
      };
    })
    .sort((a, b) => b.calls_per_s - a.calls_per_s || (a.function < b.function ? -1 : 1));
}

function textOf({ platform }: Moment, rows: readonly Row[]): string {
  const mib = (name: string) => `${Math.round((platform.get(name) ?? 0) / 1024 / 1024)} MiB`;
  const head =
    `instances ${platform.get('hearth_instances') ?? 0} with ${mib('hearth_instances_memory_bytes')} of ${mib('hearth_memory_budget_bytes')}; ` +
    `pool ${platform.get('hearth_pool_stocked') ?? 0}; calls open ${platform.get('hearth_invocations_open') ?? 0}, waiting ${platform.get('hearth_invocations_waiting') ?? 0}\n\n`;
  const cells = rows.map((row) => [
    row.function,
    row.calls_per_s.toFixed(1),
    row.failures_per_s.toFixed(1),
    duration(row.mean_run_ms),
    Object.entries(row.instances)
      .map(([state, count]) => `${count} ${state}`)
      .join(', ') || '-',
  ]);
  return head + table([['FUNCTION', 'CALLS/S', 'FAILURES/S', 'MEAN RUN', 'INSTANCES'], ...cells]);
}
