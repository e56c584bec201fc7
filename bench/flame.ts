import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { callEach } from './lib/call-each.ts';
import { flameGraph } from './lib/flame-graph.ts';
import { PROGRAMS } from './lib/folders.ts';
import { PERF_NODE_ARGUMENTS, sampled } from './lib/perf.ts';
import { BenchPlatform } from './lib/platform.ts';
import { SeededFolder } from './lib/seed.ts';
import { load } from './lib/wrk.ts';

const USAGE = `Usage: node bench/flame.ts [options] [picture…]

Draws where the whole machine's time goes, platform, sandboxes, kernel and client together, as flame graphs. Needs perf, and the right to sample.

  warm      a handler at 32 connections
  script    the pika echo script at 8 connections
  storm     first calls of so many functions at 64 connections

  --seconds <n>     of load, for warm and script (10)
  --count <n>       functions of the storm (500)
  --out <folder>    for the pictures (bench/flames)
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '10' },
    count: { type: 'string', default: '500' },
    out: { type: 'string', default: join(import.meta.dirname, 'flames') },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

const BODY = '{"name": "Valera"}';
const PICTURES = {
  warm: () => ofLoad('hello.py', 32),
  script: () => ofLoad('echo.py', 8),
  storm: ofStorm,
};

if (values.help) process.stdout.write(USAGE);
else await main(positionals.length > 0 ? positionals : Object.keys(PICTURES));

async function main(names: readonly string[]): Promise<void> {
  await mkdir(values.out, { recursive: true });
  for (const name of names) {
    if (!Object.hasOwn(PICTURES, name)) throw new Error(`there is no picture ${name}\n\n${USAGE}`);
    const picture = await PICTURES[name as keyof typeof PICTURES]();
    const file = join(values.out, `${name}.svg`);
    await writeFile(file, picture);
    process.stdout.write(`${file}\n`);
  }
}

async function ofLoad(program: string, connections: number): Promise<string> {
  await using platform = await BenchPlatform.start({ libraries: true, nodeArguments: PERF_NODE_ARGUMENTS });
  const request = { url: await platform.define('pictured', await readFile(`${PROGRAMS}${program}`, 'utf8')), body: BODY };
  await load(request, connections, 3);
  let rate = 0;
  const folded = await sampled(async () => {
    rate = (await load(request, connections, Number(values.seconds))).requestsPerSecond;
  });
  return flameGraph(`${program}, ${connections} connections: ${rate.toFixed(0)} requests/s while sampled (${platform.isolation})`, folded);
}

async function ofStorm(): Promise<string> {
  await using seeded = await SeededFolder.create({ libraries: true }, [{ name: 'storm', program: 'hello.py', settings: { network: 'none' } }]);
  const paths = await seeded.copy('storm', 0, Number(values.count));
  await using platform = await BenchPlatform.start({ libraries: true, dataFrom: seeded.path, nodeArguments: PERF_NODE_ARGUMENTS });
  const request = (path: string) => ({ url: `${platform.gateway}${path}`, body: BODY });
  await callEach([request('/storm')], 1);
  let rate = 0;
  const folded = await sampled(async () => {
    const { milliseconds } = await callEach(paths.map(request), 64);
    rate = (paths.length * 1000) / milliseconds;
  });
  return flameGraph(`${paths.length} first calls at 64 connections: ${rate.toFixed(0)}/s while sampled (nursery, network none)`, folded);
}
