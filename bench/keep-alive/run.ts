import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { KeepAlive } from '../../src/scheduler/keep-alive.ts';
import { azure2019, azure2021 } from './azure.ts';
import { leastColdStarts, lookAhead } from './future.ts';
import { Clairvoyant, FixedIdle, PublishedGreedyDual } from './policies.ts';
import { type Policy, simulate } from './simulate.ts';
import { syntheticDay } from './synthetic.ts';
import { table } from './table.ts';
import { MB, type Trace } from './trace.ts';

const USAGE = `node bench/keep-alive/run.ts [--write] [--traces <folder>] [--seed <number>]

Replays traces in virtual time over keep-alive policies. --write puts the tables into bench/keep-alive/README.md.
--traces  folder of the Azure samples; default ../shared/traces beside the project's folder
--seed    of the synthetic day; default 1
`;

const README = new URL('README.md', import.meta.url);
const [BEGIN, END] = ['<!-- bench:keep-alive -->', '<!-- /bench:keep-alive -->'];
const TEN_MINUTES_MS = 600_000;
/** Of KeepAlive's frequencies. */
const HALF_LIFE_MS = 2 * 3600_000;
/** Shares of the most that a fixed ten minutes holds at once when nothing bounds it. */
const BUDGETS = [0.1, 0.25, 0.5, 1];

process.exitCode = await main(process.argv.slice(2));

/** @returns the exit code: 0 measured, 2 the command line was not understood */
async function main(argv: string[]): Promise<number> {
  let folder: string | URL = new URL('../../../shared/traces/', import.meta.url);
  let seed = 1;
  let write = false;
  try {
    const { values } = parseArgs({
      args: argv,
      options: { write: { type: 'boolean' }, traces: { type: 'string' }, seed: { type: 'string' }, help: { type: 'boolean' } },
    });
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    folder = values.traces ?? folder;
    seed = Number(values.seed ?? seed);
    write = values.write ?? false;
    if (!Number.isSafeInteger(seed)) throw new TypeError(`--seed must be a whole number, not ${values.seed}`);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const path = typeof folder === 'string' ? folder : decodeURIComponent(folder.pathname);
  const traces = [await azure2019(path), await azure2021(path), syntheticDay(seed)];
  const sections = traces.map(replay);
  const text = sections.join('\n');
  process.stdout.write(text);
  if (write) await writeReport(`\`node bench/keep-alive/run.ts --seed ${seed}\`, ${new Date().toISOString().slice(0, 10)}\n\n${text}`);
  return 0;
}

function replay(trace: Trace): string {
  const future = lookAhead(trace);
  const policies: [string, () => Policy][] = [
    ['fixed, 10 min', () => new FixedIdle(TEN_MINUTES_MS)],
    ['LRU', () => new FixedIdle(Number.POSITIVE_INFINITY)],
    ['Greedy-Dual as published', () => new PublishedGreedyDual({ shared: false })],
    ['the same, frequency shared among instances', () => new PublishedGreedyDual({ shared: true })],
    ['**KeepAlive**, at most 10 min', () => keepAlive(TEN_MINUTES_MS)],
    ['**KeepAlive**, at most 60 min', () => keepAlive(6 * TEN_MINUTES_MS)],
    ['clairvoyant', () => new Clairvoyant(trace, future)],
  ];
  const peak = simulate(trace, new FixedIdle(TEN_MINUTES_MS), Number.POSITIVE_INFINITY).peakBytes;
  let text = `### ${trace.name}: ${trace.functions.length} functions, ${trace.calls.length.toLocaleString('en')} calls\n`;
  for (const share of BUDGETS) {
    const budget = peak * share;
    const rows = policies.map(([policy, make]) => ({ policy, outcome: simulate(trace, make(), budget) }));
    text += `\nBudget ${Math.round(budget / MB).toLocaleString('en')} MB, ${100 * share} % of what a fixed 10 min holds at its peak:\n\n`;
    text += table(rows, leastColdStarts(trace, future, budget));
  }
  return text;
}

function keepAlive(maxIdleMs: number): Policy {
  return new KeepAlive({ minIdleMs: 0, maxIdleMs, reserved: 0 }, HALF_LIFE_MS);
}

async function writeReport(body: string): Promise<void> {
  const text = await readFile(README, 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`bench/keep-alive/README.md has no ${BEGIN} … ${END}`);
  await writeFile(README, `${text.slice(0, from)}${BEGIN}\n\n${body}\n${text.slice(to)}`);
}
