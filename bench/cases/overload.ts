import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FunctionDefinition } from '../../src/schemas/function.ts';
import type { Bench, Case, Row, Section } from '../lib/case.ts';
import { Client } from '../lib/client.ts';
import { PROGRAMS } from '../lib/folders.ts';
import { type Outcome, openLoop } from '../lib/open-loop.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { median, percentile } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';
import { load, type Request } from '../lib/wrk.ts';

const FACTORS = [0.5, 1, 3] as const;
/** Connections of the closed loop that finds the capacity: some wait always, none is refused. */
const CALIBRATION = 8;
const REST_MS = 1000;

const FUNCTIONS: readonly { what: string; program: string; settings: Partial<FunctionDefinition> }[] = [
  { what: 'sleeps 20 ms, max_instances 4', program: 'sleep.py', settings: { max_instances: 4 } },
  { what: 'uses 5 ms of CPU', program: 'spin.py', settings: {} },
];
const QUEUES: readonly { label: string; settings: Partial<FunctionDefinition> }[] = [
  { label: 'queue 256 (default)', settings: {} },
  { label: 'queue 4', settings: { max_queue: 4 } },
];

interface Measured {
  label: string;
  offered: number;
  goodput: number;
  peak: number;
  admitted: number[];
  unloaded: number[];
  refusedShare: number;
  /** Alive at the end. */
  instances: number;
  /** p99 of how late the generator was. Milliseconds. */
  late: number;
  /** Refused ones that say when to come again. */
  retryAfterShare: number | null;
}

/** More than can be done, at a constant rate: what is still done, how quickly, and what becomes of the rest. */
export const overload: Case = {
  name: 'overload',
  summary: 'goodput and latency at 0.5, 1 and 3 times the capacity, open loop',
  async run(bench: Bench): Promise<Section[]> {
    const { options, say } = bench;
    await using platform = await BenchPlatform.start(options);
    const seconds = options.quick ? 2 : 4;
    const sections: Section[] = [];
    for (const { what, program, settings } of FUNCTIONS) {
      const code = await readFile(`${PROGRAMS}${program}`, 'utf8');
      const nameOf = (index: number): string => `${program.split('.')[0]}-${index}`;
      const define = async (index: number, queue: Partial<FunctionDefinition>): Promise<Request> => {
        return { url: await platform.define(nameOf(index), code, { network: 'none', ...settings, ...queue }), body: '{}' };
      };
      const calibration = await define(QUEUES.length, {});
      const unloaded = await oneByOne(calibration, options.quick ? 20 : 100);
      await load(calibration, CALIBRATION, 2);
      const { requestsPerSecond: peak } = await load(calibration, CALIBRATION, options.quick ? 2 : 4);
      const rows: Measured[] = [];
      for (const [index, queue] of QUEUES.entries()) {
        const request = await define(index, queue.settings);
        // As many instances as it had when its capacity was measured, without refusals.
        await openLoop(request, peak * 0.8, 2);
        for (const factor of FACTORS) {
          await sleep(REST_MS);
          say(`${what}, ${queue.label}, ${factor} × ${peak.toFixed(0)}/s`);
          const start = performance.now();
          const outcomes = await openLoop(request, peak * factor, seconds);
          const took = (performance.now() - start) / 1000;
          const judged = judge(`${queue.label}, ${factor} ×`, outcomes, took);
          rows.push({ ...judged, offered: peak * factor, peak, unloaded, instances: await platform.instancesOf(nameOf(index)) });
        }
      }
      sections.push(sectionOf(what, platform.isolation.split(',')[0] ?? '', seconds, rows));
    }
    return sections;
  },
};

/** @throws Error when anything was answered but 200 and 429 */
function judge(label: string, outcomes: readonly Outcome[], tookSeconds: number): Omit<Measured, 'offered' | 'peak' | 'unloaded' | 'instances'> {
  const admitted = outcomes.filter(({ status }) => status === 200);
  const refused = outcomes.filter(({ status }) => status === 429);
  if (admitted.length + refused.length !== outcomes.length || admitted.length === 0) {
    const counts = Object.entries(Object.groupBy(outcomes, ({ status }) => status)).map(([status, of]) => `${of?.length} × ${status}`);
    throw new Error(`${label}: ${counts.join(', ')}`);
  }
  return {
    label,
    goodput: admitted.length / tookSeconds,
    admitted: admitted.map(({ milliseconds }) => milliseconds),
    late: percentile(
      outcomes.map(({ late }) => late),
      0.99,
    ),
    refusedShare: refused.length / outcomes.length,
    retryAfterShare: refused.length === 0 ? null : refused.filter(({ retryAfter }) => /^[1-9]\d*$/.test(retryAfter ?? '')).length / refused.length,
  };
}

async function oneByOne(request: Request, count: number): Promise<number[]> {
  using client = new Client();
  await client.post(request);
  const times: number[] = [];
  for (let index = 0; index < count; index++) times.push((await client.post(request)).milliseconds);
  return times;
}

function sectionOf(what: string, driver: string, seconds: number, rows: readonly Measured[]): Section {
  return {
    title: `Overload: a handler that ${what}`,
    notes: [
      `Requests come at a constant rate for ${seconds} s, whatever becomes of them (${driver}, network none). Times count from the instant a request was due. Goodput: 200s per second, until the last is answered.`,
      `The peak is what wrk gets in a closed loop over ${CALIBRATION} connections. Unloaded is one call at a time.`,
      'Anything but 200 and 429 fails the case. Generator late: p99 of how long after its due time a request was sent. The generator shares the cores with the platform.',
    ],
    columns: [
      'offered/s',
      'goodput/s',
      'p50 ms',
      'p99 ms',
      'refused',
      'with Retry-After',
      'instances',
      'generator late ms',
      'goodput to peak',
      'p50 to unloaded',
      'p99 to unloaded',
    ],
    rows: [
      { label: 'unloaded', cells: [null, null, ...latency((rows[0] as Measured).unloaded), null, null, null, null, null, ratio(1, 1), ratio(1, 1)] },
      { label: 'closed loop, peak', cells: [null, (rows[0] as Measured).peak, null, null, null, null, null, null, ratio(1, 1), null, null] },
      ...rows.map(rowOf),
    ],
    raw: rows,
  };
}

function rowOf({ label, offered, goodput, peak, admitted, unloaded, refusedShare, retryAfterShare, instances, late }: Measured): Row {
  const [p50, p99] = latency(admitted);
  const [unloadedP50, unloadedP99] = latency(unloaded);
  const percent = (share: number | null): string | null => (share === null ? null : `${(share * 100).toFixed(0)} %`);
  return {
    label: `Hearth, ${label}`,
    cells: [
      offered,
      goodput,
      p50,
      p99,
      percent(refusedShare),
      percent(retryAfterShare),
      String(instances),
      late,
      ratio(goodput, peak),
      ratio(p50, unloadedP50),
      ratio(p99, unloadedP99),
    ],
  };
}

function latency(times: readonly number[]): [p50: number, p99: number] {
  return [median(times), percentile(times, 0.99)];
}
