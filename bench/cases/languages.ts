import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FunctionDefinition } from '../../src/schemas/function.ts';
import type { Bench, Case, Row, Section } from '../lib/case.ts';
import { Client } from '../lib/client.ts';
import { type FirstCall, firstCalls } from '../lib/first-calls.ts';
import { PROGRAMS } from '../lib/folders.ts';
import { lambdaBundle } from '../lib/lambda-builds.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { median, percentile } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';

const BODY = '{"name": "Valera"}';
/** Long enough for the pool to boot a sandbox of Node.js in place of the one that was taken, on an idle machine. Milliseconds. */
const GAP_MS = 400;
/** After the start, for the first zygote and the pool. Milliseconds. */
const SETTLE_MS = 1500;
/** Instances of Node.js hold some 50 MiB each while they are idle. */
const MAX_FIRST_CALLS = 40;

interface Way {
  label: string;
  /** A file of bench/programs, or what is built of a folder there. */
  program: string | { bundle: 'lambda-go' | 'lambda-node' };
  settings: Partial<FunctionDefinition>;
  /** Needs the default libraries. */
  libraries?: true;
}

const AWSLAMBDARIC = { style: 'lambda', requirements: 'awslambdaric', command: ['python', '-m', 'awslambdaric', 'function.handler'] } as const;
const NODE_RIC = ['node', 'node_modules/aws-lambda-ric/bin/index.mjs', 'index.handler'];

const WAYS: readonly Way[] = [
  { label: 'Python, handler', program: 'hello.py', settings: {} },
  { label: 'Python, pika script', program: 'echo.py', settings: {}, libraries: true },
  { label: 'Python, server (http.server)', program: 'hello_server.py', settings: { style: 'server' } },
  { label: 'Node.js, handler', program: 'hello.mjs', settings: { runtime: 'nodejs' } },
  { label: 'Node.js, web', program: 'hello-web.mjs', settings: { runtime: 'nodejs' } },
  { label: 'Node.js, amqplib script', program: 'echo.mjs', settings: { runtime: 'nodejs' } },
  { label: 'Node.js, server (node:http)', program: 'hello-server.mjs', settings: { runtime: 'nodejs', style: 'server' } },
  { label: 'Lambda, Python (awslambdaric)', program: 'hello_lambda.py', settings: { ...AWSLAMBDARIC, command: [...AWSLAMBDARIC.command] } },
  {
    label: 'Lambda, Node.js (aws-lambda-ric)',
    program: { bundle: 'lambda-node' },
    settings: { style: 'lambda', runtime: 'nodejs', entry: 'index.mjs', command: NODE_RIC },
  },
  { label: 'Lambda, Go (aws-lambda-go)', program: { bundle: 'lambda-go' }, settings: { style: 'lambda' } },
];

interface Measured {
  label: string;
  /** Milliseconds; null when it could not be measured, which `label` then explains. */
  warm: number[] | null;
  cold: FirstCall[] | null;
}

/** The same small function in every way that there is of writing it. */
export const languages: Case = {
  name: 'languages',
  summary: 'warm and first calls of every way of writing a function, against a handler in Python',
  async run(bench: Bench): Promise<Section[]> {
    const { options } = bench;
    const firstCallCount = Math.min(options.count, MAX_FIRST_CALLS);
    const measured = await measure(bench, firstCallCount);
    const baseline = measured[0] as Measured;
    return [
      {
        title: 'Ways of writing a function',
        notes: [
          'Each parses a JSON body of 18 bytes and answers with JSON; scripts by AMQP. One call at a time over one open connection, end to end.',
          `Warm: ${options.rounds} round(s) of ${options.count} calls each, the ways in turn; all calls together. Cold: the first calls of ${firstCallCount} functions each, ${GAP_MS} ms before each, so that a sandbox is in stock; a platform for each way.`,
          'start, init and run are medians of the platform’s own `Server-Timing` of cold calls. Servers and clients of Lambda are programs, which are started beside the runtime: that is their init.',
          'Every setting at its default; the isolation is that of the platform’s choice, network egress.',
        ],
        columns: ['warm p50 ms', 'warm p99 ms', 'to Python, handler', 'cold p50 ms', 'cold p99 ms', 'to Python, handler', 'start', 'init', 'run'],
        rows: measured.map((one) => rowOf(one, baseline)),
        raw: measured,
      },
    ];
  },
};

async function measure(bench: Bench, firstCallCount: number): Promise<Measured[]> {
  const { options, say } = bench;
  const measured: Measured[] = [];
  const ways: { way: Way; one: Measured }[] = [];
  for (const way of WAYS.filter(({ libraries }) => options.libraries || !libraries)) {
    const one: Measured = { label: way.label, warm: [], cold: [] };
    measured.push(one);
    try {
      if (typeof way.program !== 'string') await lambdaBundle(way.program.bundle);
      ways.push({ way, one });
    } catch (error) {
      say(`${way.label}: ${(error as Error).message}`);
      Object.assign(one, { label: `${way.label}: not measured, it can’t be built here`, warm: null, cold: null });
    }
  }
  await warmCalls(bench, ways);
  for (const { way, one } of ways) {
    say(`first calls: ${way.label}`);
    await using platform = await BenchPlatform.start(options);
    const urls: string[] = [];
    for (let index = 0; index <= firstCallCount; index++) urls.push(await define(platform, way, `cold-${index}`));
    await sleep(SETTLE_MS);
    const [opener, ...requests] = urls.map((url) => ({ url, body: BODY })) as [{ url: string; body: string }];
    one.cold = await firstCalls(requests, opener, GAP_MS);
  }
  return measured;
}

async function warmCalls({ options, say }: Bench, ways: readonly { way: Way; one: Measured }[]): Promise<void> {
  await using platform = await BenchPlatform.start(options);
  const urls = new Map<Way, string>();
  using client = new Client();
  for (const [index, { way }] of ways.entries()) {
    const url = await define(platform, way, `warm-${index}`);
    urls.set(way, url);
    for (let call = 0; call < 20; call++) {
      const { body } = await client.post({ url, body: BODY });
      if (!/^\{("hello": ?|"body": ?\{"name": ?)"Valera"\}*$/.test(body)) throw new Error(`${way.label} answered ${body}`);
    }
  }
  for (let round = 1; round <= options.rounds; round++) {
    say(`warm calls, round ${round} of ${options.rounds}`);
    for (const { way, one } of ways) {
      for (let call = 0; call < options.count; call++) {
        const { milliseconds, headers } = await client.post({ url: urls.get(way) as string, body: BODY });
        if (headers['x-hearth-start'] !== 'warm') throw new Error(`${way.label} was to be warm, and was ${headers['x-hearth-start']}`);
        one.warm?.push(milliseconds);
      }
    }
  }
}

async function define(platform: BenchPlatform, { program, settings }: Way, name: string): Promise<string> {
  if (typeof program === 'string') return platform.define(name, await readFile(`${PROGRAMS}${program}`, 'utf8'), settings);
  return platform.defineBundle(name, await lambdaBundle(program.bundle), settings);
}

function rowOf({ label, warm, cold }: Measured, baseline: Measured): Row {
  const times = (calls: FirstCall[] | null): number[] | null => (calls ? calls.map(({ milliseconds }) => milliseconds) : null);
  const part = (pick: (call: FirstCall) => number): number | null => cold && median(cold.map(pick));
  const figures = (values: number[] | null, to: number[] | null): (number | string | null)[] => {
    const p50 = values && median(values);
    return [p50, values && percentile(values, 0.99), ratio(p50, to && median(to))];
  };
  return {
    label,
    cells: [
      ...figures(warm, baseline.warm),
      ...figures(times(cold), times(baseline.cold)),
      part((call) => call.start),
      part((call) => call.init),
      part((call) => call.run),
    ],
  };
}
