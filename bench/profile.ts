import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { accountTimes, type CpuProfile, type Time } from './lib/cpu-profile.ts';
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
    profiles
      // The main thread was there first; other threads (the store's) start later, so their boot is in their figures.
      .toSorted((a, b) => a.startTime - b.startTime)
      .forEach((one, index) => {
        const skip = index === 0 ? skipMs : 0;
        report(`Thread ${index}, by function`, accountTimes(one, 'self', skip));
        report(`Thread ${index}, by function of the project, with what it calls in Node.js and libraries`, accountTimes(one, 'own', skip));
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

function report(title: string, times: readonly Time[]): void {
  const busy = times.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const lines = times.slice(0, Number(values.top)).map(({ name, milliseconds, share }) => {
    return `${(share * 100).toFixed(1).padStart(6)} % ${milliseconds.toFixed(0).padStart(6)} ms  ${name}`;
  });
  process.stdout.write(`${title}: ${busy.toFixed(0)} ms busy\n${lines.join('\n')}\n\n`);
}
