import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { groupPrefix } from '../../src/sandbox/cgroup/group-prefix.ts';
import { Footprint, type Holdings, isAlive, leftovers } from '../../test/hostile/support/footprint.ts';
import { BenchPlatform, dataFolderWithLibraries } from '../lib/platform.ts';
import { runCommand } from '../lib/run-command.ts';
import { Caller } from './caller.ts';
import { Ledger, type Tally } from './ledger.ts';
import { Load } from './load.ts';
import type { SoakOptions } from './options.ts';
import { type Sample, takeSample, type UserIds, usersInUse, type Watched } from './samples.ts';
import { isLeak, memoryTrends, type Trend } from './trend.ts';

const SAMPLE_MS = 10_000;
/** At least so many samples, however short the load is. */
const SAMPLES = 12;
/** For what is on its way to come, and for everything idle to go. */
const QUIET_MS = 90_000;

/** Sandboxes by bubblewrap and by the nursery have theirs ten millions apart. */
const USERS = 20_000_000;

const SETTINGS = {
  // Idle instances and spare sandboxes go soon: at rest the platform holds nothing that is there for its functions.
  HEARTH_LIMITS_IDLE_MS: '2000',
  HEARTH_POOL_MAXIMUM: '4',
  HEARTH_POOL_FORGET_MS: '3000',
  HEARTH_LIMITS_DRAIN_MS: '5000',
  // As an operator would bound other people's code.
  HEARTH_LIMITS_PROCESSES: '64',
  HEARTH_LIMITS_OPEN_FILES: '128',
  HEARTH_LIMITS_FILE_BYTES: String(4 * 1024 * 1024),
  HEARTH_SANDBOX_TMP_BYTES: String(8 * 1024 * 1024),
  HEARTH_GATEWAY_MAX_REPLY_BYTES: String(1024 * 1024),
  HEARTH_GATEWAY_HEADERS_TIMEOUT_MS: '1500',
  HEARTH_GATEWAY_REQUEST_TIMEOUT_MS: '2500',
  HEARTH_GATEWAY_STREAM_IDLE_MS: '1500',
} as const;

export interface SoakReport {
  isolation: string;
  tallies: ReadonlyMap<string, Tally>;
  /** At rest, before the load and after it. */
  before: Sample;
  after: Sample;
  /** Of the load, by seconds. */
  samples: readonly Sample[];
  trends: readonly Trend[];
  /** What should not be, each in a line: failures, leaks, what was left after the end. Empty: all is well. */
  problems: readonly string[];
}

/**
 * Loads a platform with everything that does harm, watches what it holds, and looks what is left.
 * @param interrupted ends the platform and gives up: rejects with its reason
 * @throws Error when there is no platform to be had
 */
export async function soak(options: SoakOptions, say: (text: string) => void, interrupted?: AbortSignal): Promise<SoakReport> {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-soak-'));
  try {
    const data = join(folder, 'data');
    await runCommand('cp', ['-a', await dataFolderWithLibraries(), data]);
    await mkdir(join(data, 'tmp'), { mode: 0o777 });
    const users = { first: 1_950_000_000 + (process.pid % 9) * USERS, count: USERS };
    const environment = {
      ...SETTINGS,
      HEARTH_SANDBOX_UID_BASE: String(users.first),
      HEARTH_SANDBOX_NURSERY: options.driver === 'nursery' ? 'auto' : 'off',
      TMPDIR: join(data, 'tmp'),
    };
    const ledger = new Ledger(say);
    const mark = `${groupPrefix(data)}-`;
    const found: { footprint?: Footprint; seen?: string[]; report?: Omit<SoakReport, 'problems'>; problems: string[] } = { problems: [] };
    const end = await BenchPlatform.runIn(folder, data, { libraries: true, environment }, async (platform) => {
      const footprint = new Footprint(platform.pid, data, mark);
      found.footprint = footprint;
      interrupted?.throwIfAborted();
      const watching = watch(platform, { pid: platform.pid, api: platform.api, footprint, users }, options, ledger, found.problems, say);
      const interruption = Promise.withResolvers<never>();
      const onAbort = () => interruption.reject(interrupted?.reason);
      interrupted?.addEventListener('abort', onAbort);
      // What goes on while the platform ends is nobody's failure.
      watching.catch(() => undefined);
      found.report = await Promise.race([watching, interruption.promise]);
      interrupted?.removeEventListener('abort', onAbort);
      found.seen = footprint.take().processes;
    });
    const { report, problems } = found;
    if (report === undefined) throw new Error('the platform was not watched');
    if (end.exitCode !== 0) problems.push(`the platform ended with ${end.signalCode ?? `code ${end.exitCode}`}`);
    problems.push(...(await remains(found.footprint as Footprint, found.seen ?? [], users, folder)));
    problems.push(...(await complaints(join(folder, 'log'))));
    if (ledger.failures > 0) problems.push(`${ledger.failures} failure(s), the first of them:`, ...ledger.details);
    return { ...report, problems };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function watch(
  platform: BenchPlatform,
  watched: Watched,
  options: SoakOptions,
  ledger: Ledger,
  problems: string[],
  say: (text: string) => void,
): Promise<Omit<SoakReport, 'problems'>> {
  using observer = new Caller();
  let startedAt = performance.now();
  const sample = () => takeSample(watched, observer, startedAt);

  let before: Awaited<ReturnType<typeof sample>>;
  const samples: Sample[] = [];
  {
    using caller = new Caller();
    const load = await Load.prepare(platform, caller, ledger, options.seed);
    say('warming up: everything once');
    await load.once();
    caller.close();
    before = await atRest(sample, null);
    say(describe(before.sample));

    startedAt = performance.now();
    const running = load.run(AbortSignal.timeout(options.seconds * 1000));
    const everyMs = Math.min(SAMPLE_MS, (options.seconds * 1000) / SAMPLES);
    let over = false;
    const done = running.finally(() => {
      over = true;
    });
    // Whoever waits for it below is told; until then it is nobody's rejection.
    done.catch(() => undefined);
    while (!over) {
      await Promise.race([sleep(everyMs), done]);
      if (over) break;
      const { sample: one } = await sample();
      samples.push(one);
      say(describe(one));
    }
    await done;
  }
  say('waiting until all is at rest');
  const after = await atRest(sample, before.holdings);
  say(describe(after.sample));
  for (const [what, items] of Object.entries(leftovers(before.holdings, after.holdings)))
    problems.push(`left after the load: ${what}: ${items.join(', ')}`);
  // Descriptors with those of connections; the observer's own is in both.
  for (const what of ['descriptors', 'users', 'instances', 'stocked'] as const) {
    if (after.sample[what] > before.sample[what]) problems.push(`left after the load: ${what}: ${after.sample[what]}, ${before.sample[what]} before`);
  }
  const trends = memoryTrends(samples, before.sample, after.sample);
  for (const trend of trends.filter(isLeak)) {
    const { what, grownBytes, keptBytes, boundBytes } = trend;
    problems.push(
      `${what} grew by ${mebibytes(grownBytes)} along its line and by ${mebibytes(keptBytes)} at rest; the bound is ${mebibytes(boundBytes)}`,
    );
  }
  return { isolation: platform.isolation, tallies: ledger.tallies, before: before.sample, after: after.sample, samples, trends };
}

/** Waits until no instance and no spare sandbox is there and nothing more than `than`, or, without it, until nothing changes any more. @returns the last look */
async function atRest<T extends { sample: Sample; holdings: Holdings }>(look: () => Promise<T>, than: Holdings | null): Promise<T> {
  const deadline = performance.now() + QUIET_MS;
  let last = '';
  let still = 0;
  for (;;) {
    const now = await look();
    const { instances, stocked } = now.sample;
    const same = JSON.stringify(now.holdings);
    const quiet = instances === 0 && stocked === 0 && (than === null ? same === last : Object.keys(leftovers(than, now.holdings)).length === 0);
    last = same;
    still = quiet ? still + 1 : 0;
    if (still >= 5 || performance.now() > deadline) return now;
    await sleep(300);
  }
}

/** What is left of a platform that has ended. */
async function remains(footprint: Footprint, seen: readonly string[], users: UserIds, folder: string): Promise<string[]> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const left = {
      processes: seen.filter(isAlive),
      cgroups: footprint.cgroups(),
      'user ids': usersInUse(users) === 0 ? [] : [`${usersInUse(users)} in use`],
      mounts: (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes(folder)),
    };
    const found = Object.entries(left).filter(([, items]) => items.length > 0);
    if (found.length === 0 || performance.now() > deadline) return found.map(([what, items]) => `left after the end: ${what}: ${items.join(', ')}`);
    await sleep(100);
  }
}

/** Errors in the platform's log: functions and clients can't cause any. */
async function complaints(log: string): Promise<string[]> {
  const lines = (await readFile(log, 'utf8')).split('\n').filter((line) => /"level":(50|60)/.test(line));
  return lines.length === 0 ? [] : [`the platform logged ${lines.length} error(s), the first: ${lines[0]?.slice(0, 1000)}`];
}

function describe(sample: Sample): string {
  const { at, rssBytes, heapBytes, descriptors, processes, users, cgroups, mounts, files, instances, stocked } = sample;
  return (
    `${at.toFixed(0)} s: RSS ${mebibytes(rssBytes)}, heap ${mebibytes(heapBytes)}, ${descriptors} fds, ${processes} processes, ${users} user ids, ${cgroups} cgroups, ` +
    `${mounts} mounts, ${files} files, ${instances} instances, ${stocked} in stock`
  );
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
