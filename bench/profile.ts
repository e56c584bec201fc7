import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { callEach } from './lib/call-each.ts';
import { accountTimes, type CpuProfile, type Time } from './lib/cpu-profile.ts';
import { cpuTime } from './lib/cpu-time.ts';
import { PROGRAMS } from './lib/folders.ts';
import { BenchPlatform } from './lib/platform.ts';
import { SeededFolder } from './lib/seed.ts';
import { load } from './lib/wrk.ts';

const USAGE = `Usage: node bench/profile.ts [options]

Loads a warm handler and says in which functions the platform's own process spends its time.

  --seconds <n>       of load (10)
  --connections <n>   with one request at a time each (32)
  --function <file>   of bench/programs (hello.py)
  --storm <n>         instead: so many different functions called once each at that many connections
  --top <n>           functions to show (30)
  --keep <folder>     leave the .cpuprofile there: the developer tools of Chromium and speedscope draw it as a flame graph
`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    connections: { type: 'string', default: '32' },
    function: { type: 'string', default: 'hello.py' },
    storm: { type: 'string' },
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
    const nodeArguments = ['--cpu-prof', '--cpu-prof-interval', '200', '--cpu-prof-dir', folder];
    const loadedMs = await (values.storm === undefined ? loadUnderProfiler(nodeArguments) : stormUnderProfiler(nodeArguments, Number(values.storm)));
    // Names end in the thread's number and the order of writing; 0 is the main thread.
    const files = (await readdir(folder)).filter((name) => name.endsWith('.cpuprofile')).toSorted((a, b) => threadOf(a) - threadOf(b));
    for (const file of files) {
      const profile = JSON.parse(await readFile(join(folder, file), 'utf8')) as CpuProfile;
      // Boot and warm-up are not what is asked about. Profiles end when the process does, so their end is what all clocks have in common.
      const skipMs = (profile.endTime - profile.startTime) / 1000 - loadedMs;
      report(`Thread ${threadOf(file)}, by function`, accountTimes(profile, 'self', skipMs));
      report(
        `Thread ${threadOf(file)}, by function of the project, with what it calls in Node.js and libraries`,
        accountTimes(profile, 'own', skipMs),
      );
    }
  } finally {
    if (values.keep === undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** @returns milliseconds from the start of the load to the end of the platform */
async function loadUnderProfiler(nodeArguments: readonly string[]): Promise<number> {
  let start = 0;
  {
    // Its end writes the profile.
    await using platform = await BenchPlatform.start({ libraries: values.function === 'echo.py', nodeArguments });
    const request = { url: await platform.define('profiled', await readFile(`${PROGRAMS}${values.function}`, 'utf8')), body: '{"name": "Valera"}' };
    await load(request, Number(values.connections), 2);
    start = performance.now();
    const { p50, p99, requestsPerSecond } = await load(request, Number(values.connections), Number(values.seconds));
    process.stdout.write(`${requestsPerSecond.toFixed(0)} requests/s, p50 ${p50} ms, p99 ${p99} ms, under the profiler\n\n`);
  }
  return performance.now() - start;
}

/** The same, of first calls. */
async function stormUnderProfiler(nodeArguments: readonly string[], count: number): Promise<number> {
  const libraries = true;
  await using seeded = await SeededFolder.create({ libraries }, [{ name: 'storm', program: values.function, settings: { network: 'none' } }]);
  const paths = await seeded.copy('storm', 0, count);
  let start = 0;
  {
    await using platform = await BenchPlatform.start({ libraries, dataFrom: seeded.path, nodeArguments });
    const request = (path: string) => ({ url: `${platform.gateway}${path}`, body: '{"name": "Valera"}' });
    await callEach([request('/storm')], 1);
    start = performance.now();
    const [before, client] = [await cpuTime(platform.pid), process.cpuUsage()];
    const { milliseconds } = await callEach(paths.map(request), Number(values.connections));
    const [after, used] = [await cpuTime(platform.pid), process.cpuUsage(client)];
    const each = (seconds: number): string => `${((seconds * 1000) / count).toFixed(2)} ms`;
    process.stdout.write(
      `${((count * 1000) / milliseconds).toFixed(0)} cold starts/s, under the profiler. CPU for each: platform ${each(after.process - before.process)}, client ${each((used.user + used.system) / 1e6)}, whole machine ${each(after.machine - before.machine)}\n\n`,
    );
  }
  return performance.now() - start;
}

/** CPU.<date>.<time>.<pid>.<thread>.<sequence>.cpuprofile */
function threadOf(file: string): number {
  return Number(file.split('.').at(-3));
}

function report(title: string, times: readonly Time[]): void {
  const busy = times.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const lines = times.slice(0, Number(values.top)).map(({ name, milliseconds, share }) => {
    return `${(share * 100).toFixed(1).padStart(6)} % ${milliseconds.toFixed(0).padStart(6)} ms  ${name}`;
  });
  process.stdout.write(`${title}: ${busy.toFixed(0)} ms busy\n${lines.join('\n')}\n\n`);
}
