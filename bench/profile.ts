import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type CpuProfile, selfTimes } from './lib/cpu-profile.ts';
import { PROGRAMS } from './lib/folders.ts';
import { BenchPlatform } from './lib/platform.ts';
import { load } from './lib/wrk.ts';

const USAGE = `Usage: node bench/profile.ts [options]

Loads a warm handler and says in which functions the platform's own process spends its time.

  --seconds <n>       of load (10)
  --connections <n>   with one request at a time each (32)
  --function <file>   of bench/programs (hello.py)
  --top <n>           functions to show (30)
  --keep <folder>     leave the .cpuprofile there: the developer tools of Chromium and speedscope draw it as a flame graph
`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '32' },
    function: { type: 'string', default: 'hello.py' },
    top: { type: 'string', default: '30' },
    keep: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) process.stdout.write(USAGE);
else await profile();

async function profile(): Promise<void> {
  const folder = values.keep ?? (await mkdtemp(join(tmpdir(), 'hearth-profile-')));
  try {
    const skipMs = await loadUnderProfiler(folder);
    const files = (await readdir(folder)).filter((name) => name.endsWith('.cpuprofile'));
    const profiles = await Promise.all(files.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')) as CpuProfile));
    // A file for each thread; the main thread's is the one that was there first.
    const threads = profiles.toSorted((a, b) => a.startTime - b.startTime).map((one, index) => selfTimes(one, index === 0 ? skipMs : 0));
    threads.forEach((times, index) => {
      process.stdout.write(`Thread ${index}: ${total(times).toFixed(0)} ms busy\n`);
      for (const { name, milliseconds, share } of times.slice(0, Number(values.top))) {
        process.stdout.write(`${(share * 100).toFixed(1).padStart(6)} % ${milliseconds.toFixed(0).padStart(6)} ms  ${name}\n`);
      }
    });
  } finally {
    if (values.keep === undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** @returns milliseconds from the start of the platform to that of the load: its boot is not what is asked about */
async function loadUnderProfiler(folder: string): Promise<number> {
  const start = performance.now();
  const nodeArguments = ['--cpu-prof', '--cpu-prof-interval', '200', '--cpu-prof-dir', folder];
  // Its end writes the profile.
  await using platform = await BenchPlatform.start({ libraries: values.function === 'echo.py', nodeArguments });
  const request = { url: await platform.define('profiled', await readFile(`${PROGRAMS}${values.function}`, 'utf8')), body: '{"name": "Valera"}' };
  await load(request, Number(values.connections), 2);
  const skipMs = performance.now() - start;
  const { p50, p99, requestsPerSecond } = await load(request, Number(values.connections), Number(values.seconds));
  process.stdout.write(`${requestsPerSecond.toFixed(0)} requests/s, p50 ${p50} ms, p99 ${p99} ms, under the profiler\n\n`);
  return skipMs;
}

function total(times: readonly { milliseconds: number }[]): number {
  return times.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
}
