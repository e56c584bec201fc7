import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random } from './random.ts';
import { type Call, inOrder, MB, type Trace, type TraceFunction } from './trace.ts';

/** Neither trace has start costs, and that of 2021 no memory: both are drawn for each function from its name, so that every policy meets the same ones. */
const START_MEDIAN_MS = 250;
const START_SIGMA = 1;
/** "Serverless in the Wild" (ATC'20, figure 8) has half of all applications below 170 MB. */
const MEMORY_MEDIAN_BYTES = 170 * MB;
const MEMORY_SIGMA = 0.6;

const QUANTILES = [
  [0, 'percentile_Average_0'],
  [0.01, 'percentile_Average_1'],
  [0.25, 'percentile_Average_25'],
  [0.5, 'percentile_Average_50'],
  [0.75, 'percentile_Average_75'],
  [0.99, 'percentile_Average_99'],
  [1, 'percentile_Average_100'],
] as const;

/** 2019: invocations per minute, and files of durations' and memory's distributions. Within its minute a call's instant is drawn, and its duration from the percentiles. */
export async function azure2019(folder: string): Promise<Trace> {
  const [invocations, durations, memory] = await Promise.all(
    ['invocations', 'durations', 'memory'].map((part) => readRows(join(folder, `azure2019-sample-${part}.csv`))),
  );
  const random = new Random(2019);
  const functions: TraceFunction[] = [];
  const calls: Call[] = [];
  for (const row of invocations ?? []) {
    const key = field(row, 'HashFunction');
    const sameFunction = (other: Row) => other.HashFunction === key && other.HashApp === row.HashApp;
    const duration = durations?.find(sameFunction);
    // In the full trace memory is given by application, in this sample by function too.
    const held = memory?.find(sameFunction) ?? memory?.find((other) => other.HashApp === row.HashApp);
    if (!duration || !held) continue;
    const fn = functions.length;
    functions.push({ key, memoryBytes: Number(field(held, 'AverageAllocatedMb')) * MB, startCostMs: startCost(key) });
    for (let minute = 1; minute <= 1440; minute++) {
      const count = Number(row[minute] ?? 0);
      for (let call = 0; call < count; call++) calls.push({ at: (minute - 1 + random.next()) * 60_000, fn, durationMs: draw(duration, random) });
    }
  }
  return { name: 'Azure 2019 sample', functions, calls: inOrder(calls) };
}

/** 2021: app, func, end_timestamp, duration, in seconds. */
export async function azure2021(folder: string): Promise<Trace> {
  const indices = new Map<string, number>();
  const functions: TraceFunction[] = [];
  const calls: Call[] = [];
  for (const row of await readRows(join(folder, 'azure2021-sample.csv'))) {
    const key = `${field(row, 'app')}/${field(row, 'func')}`;
    let fn = indices.get(key);
    if (fn === undefined) {
      fn = functions.length;
      indices.set(key, fn);
      functions.push({ key, memoryBytes: new Random(`memory ${key}`).logNormal(MEMORY_MEDIAN_BYTES, MEMORY_SIGMA), startCostMs: startCost(key) });
    }
    const durationMs = Number(field(row, 'duration')) * 1000;
    calls.push({ at: Math.max(0, Number(field(row, 'end_timestamp')) * 1000 - durationMs), fn, durationMs });
  }
  return { name: 'Azure 2021 sample', functions, calls: inOrder(calls) };
}

function startCost(key: string): number {
  return new Random(`start ${key}`).logNormal(START_MEDIAN_MS, START_SIGMA);
}

/** By the inverse of the distribution, straight between its percentiles. Milliseconds. */
function draw(row: Row, random: Random): number {
  const at = random.next();
  let [lowShare, lowValue] = [0, Number(field(row, QUANTILES[0][1]))];
  for (const [share, column] of QUANTILES) {
    const value = Number(field(row, column));
    if (at <= share && share > lowShare) return lowValue + ((at - lowShare) / (share - lowShare)) * (value - lowValue);
    [lowShare, lowValue] = [share, value];
  }
  return lowValue;
}

type Row = Record<string, string>;

/** These files quote nothing. */
async function readRows(path: string): Promise<Row[]> {
  const [head = '', ...lines] = (await readFile(path, 'utf8')).split(/\r?\n/).filter((line) => line !== '');
  const names = head.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((value, index) => [names[index] ?? '', value])));
}

function field(row: Row, name: string): string {
  const value = row[name];
  if (value === undefined) throw new Error(`the trace has no column ${name}`);
  return value;
}
