import { setTimeout as sleep } from 'node:timers/promises';
import { callEach } from '../lib/call-each.ts';
import type { Bench, Case, Section } from '../lib/case.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { SeededFolder } from '../lib/seed.ts';
import { median } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';
import { type Load, load, type Request } from '../lib/wrk.ts';

const BODY = '{"name": "Valera"}';
const SETTLE_MS = 2000;
const STARTS = 3;

/** What registered functions and live instances that nobody calls cost those that are called. */
export const growth: Case = {
  name: 'growth',
  summary: 'warm latency and start of the platform with 10 to 100,000 functions, and with 1 to 1,000 live instances',
  async run(bench: Bench): Promise<Section[]> {
    return [await ofFunctions(bench), await ofInstances(bench)];
  },
};

async function ofFunctions({ options, say }: Bench): Promise<Section> {
  const counts = options.quick ? [10, 1000] : [10, 1000, 10_000, 100_000];
  await using seeded = await SeededFolder.create(options, [{ name: 'grown', program: 'hello.py', settings: { network: 'none' } }]);
  await using cleanUp = new AsyncDisposableStack();
  const platforms: { count: number; platform: BenchPlatform; starts: number[]; loads: Load[] }[] = [];
  let registered = 1;
  for (const count of counts) {
    say(`${count} functions`);
    await seeded.copy('grown', registered, count);
    registered = count;
    const start = (): Promise<BenchPlatform> => BenchPlatform.start({ libraries: options.libraries, dataFrom: seeded.path });
    const starts: number[] = [];
    for (let index = 1; index < (options.quick ? 1 : STARTS); index++) {
      await using once = await start();
      starts.push(once.gatewayMs);
    }
    const platform = cleanUp.use(await start());
    platforms.push({ count, platform, starts: [...starts, platform.gatewayMs], loads: [] });
  }
  // All at once, one loaded at a time: what the machine does meanwhile meets them all alike.
  for (const { platform } of platforms) await load({ url: `${platform.gateway}/grown`, body: BODY }, 1, 1);
  for (let round = 1; round <= options.rounds; round++) {
    say(`round ${round} of ${options.rounds}`);
    for (const { platform, loads } of platforms) loads.push(await load({ url: `${platform.gateway}/grown`, body: BODY }, 1, options.seconds));
  }
  const p50s = platforms.map(({ loads }) => median(loads.map(({ p50 }) => p50)));
  const starts = platforms.map((one) => median(one.starts));
  return {
    title: 'Cost of registered functions',
    notes: [
      'Each function has code and a path of its own; they are put into the data folder by the platform’s store. One of them is called, one call at a time (wrk); the others never are.',
      `A platform for each number, all alive, loaded in turn; medians of ${options.rounds} round(s) of ${options.seconds} s.`,
      `Start: from the spawn of hearth up on that data folder to the gateway’s first answer, median of ${options.quick ? 1 : STARTS}; files are in the page cache.`,
    ],
    columns: ['functions', 'warm p50 ms', 'start s', 'p50 to the fewest', 'start to the fewest'],
    rows: platforms.map(({ count, platform }, index) => ({
      label: `Hearth, handler (${platform.isolation.split(',')[0]}, network none)`,
      cells: [
        String(count),
        p50s[index] ?? null,
        (starts[index] ?? 0) / 1000,
        ratio(p50s[index] ?? null, p50s[0] ?? null),
        ratio(starts[index] ?? null, starts[0] ?? null),
      ],
    })),
    raw: platforms.map(({ count, loads, starts: gatewayMs }) => ({ count, loads, gatewayMs })),
  };
}

async function ofInstances({ options, say }: Bench): Promise<Section> {
  const counts = options.quick ? [1, 50] : [1, 100, 1000];
  await using seeded = await SeededFolder.create(options, [{ name: 'alive', program: 'hello.py', settings: { network: 'none' } }]);
  const paths = await seeded.copy('alive', 1, counts.at(-1) as number);
  const start = (): Promise<BenchPlatform> =>
    BenchPlatform.start({ libraries: options.libraries, dataFrom: seeded.path, environment: { HEARTH_LIMITS_MAX_INSTANCES: '2500' } });
  await using platform = await start();
  await using other = await start();
  const [request, reference] = [platform, other].map(({ gateway }) => ({ url: `${gateway}/alive`, body: BODY })) as [Request, Request];
  for (const one of [request, reference]) await load(one, 1, 1);
  const steps: { count: number; loads: Load[]; references: Load[] }[] = [];
  let live = 1;
  for (const count of counts) {
    say(`${count} live instances`);
    const more = paths.slice(live - 1, count - 1);
    if (more.length > 0)
      await callEach(
        more.map((path) => ({ url: `${platform.gateway}${path}`, body: BODY })),
        16,
      );
    live = count;
    await sleep(SETTLE_MS);
    const step = { count, loads: [] as Load[], references: [] as Load[] };
    for (let round = 0; round < options.rounds; round++) {
      step.loads.push(await load(request, 1, options.seconds));
      step.references.push(await load(reference, 1, options.seconds));
    }
    steps.push(step);
    const { answers } = await callEach(
      more.map((path) => ({ url: `${platform.gateway}${path}`, body: BODY })),
      4,
    );
    const cold = answers.filter(({ headers }) => headers['x-hearth-start'] !== 'warm').length;
    if (cold > 0) throw new Error(`${cold} of ${count} instances were gone after the measurement`);
  }
  const p50 = (loads: readonly Load[]): number => median(loads.map((one) => one.p50));
  const first = p50((steps[0] as { loads: Load[] }).loads);
  return {
    title: 'Cost of live instances',
    notes: [
      'Instances of different functions, alive and idle; one more is called, one call at a time (wrk). All answered warm afterwards.',
      `A second platform with one instance on the same machine is loaded in turn with it; medians of ${options.rounds} round(s) of ${options.seconds} s.`,
    ],
    columns: ['live instances', 'warm p50 ms', 'warm p99 ms', 'second platform p50 ms', 'p50 to one instance', 'p50 to the second platform'],
    rows: steps.map(({ count, loads, references }) => ({
      label: `Hearth, handler (${platform.isolation.split(',')[0]}, network none)`,
      cells: [
        String(count),
        p50(loads),
        median(loads.map(({ p99 }) => p99)),
        p50(references),
        ratio(p50(loads), first),
        ratio(p50(loads), p50(references)),
      ],
    })),
    raw: steps,
  };
}
