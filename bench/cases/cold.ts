import { setTimeout as sleep } from 'node:timers/promises';
import type { NetworkMode } from '../../src/sandbox/driver.ts';
import type { Bench, Case, Row, Section } from '../lib/case.ts';
import { containerStarts } from '../lib/containers.ts';
import { type FirstCall, firstCalls } from '../lib/first-calls.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { SeededFolder } from '../lib/seed.ts';
import { interpreterStarts, sandboxStarts } from '../lib/start-times.ts';
import { median, percentile } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';

const NETWORKS = ['none', 'egress'] as const satisfies readonly NetworkMode[];
const STYLES = [
  { style: 'handler', program: 'hello.py' },
  { style: 'pika script', program: 'echo.py' },
] as const;
/** Long enough for the pool to boot a sandbox in place of the one that was taken, by either driver, on an idle machine. Milliseconds. */
const GAP_MS = 120;
/** After the start, for the first zygote and the pool. Milliseconds. */
const SETTLE_MS = 1000;

interface Measured {
  label: string;
  /** Milliseconds; null when it could not be measured, which `label` then explains. */
  times: number[] | null;
  calls?: FirstCall[];
}

/** The first call of a function that never ran before, with a sandbox in stock and without, beside what its parts and its alternatives cost. */
export const cold: Case = {
  name: 'cold',
  summary: "a function's first call, from the pool, nursery and bubblewrap, against docker run, bubblewrap and a bare interpreter",
  async run(bench: Bench): Promise<Section[]> {
    const { options, say } = bench;
    const docker: Measured = await containerStarts(bench, options.containers);
    say('starting interpreters');
    const rows: Measured[] = [docker, { label: '`python3 -I -c pass`, until its end, no isolation', times: await interpreterStarts(options.count) }];
    for (const network of NETWORKS) {
      say(`starting sandboxes, network ${network}`);
      const times = await sandboxStarts(network, options.count);
      const what = `bubblewrap + python3, from the driver's create to Hello (network ${network})`;
      rows.push({ label: times ? what : `${what}: this network can't be had here`, times });
    }
    rows.push(...(await inHearth(bench)));
    const bare = rows[2] as Measured;

    return [
      {
        title: 'First call of a function',
        notes: [
          `${options.count} different functions each, registered beforehand, called once, one after another, over one open connection; ${options.containers} containers; ${options.count} starts of the rest.`,
          'A first call goes end to end: gateway, sandbox, load of the code, function, answer. The pika script’s first call makes its template too, and an AMQP conversation. Instances of earlier calls stay alive and idle meanwhile.',
          `Pool hit: ${GAP_MS} ms before each call, so that a sandbox is in stock. Pool empty: no pool (HEARTH_POOL_MINIMUM=0), calls without a pause.`,
          'Nursery: the sandbox is forked from a zygote that has the libraries in memory, into namespaces of its own. Bubblewrap: HEARTH_SANDBOX_NURSERY=off, an interpreter is booted for each.',
          'start, init and run are medians of the platform’s own `Server-Timing`.',
        ],
        columns: ['p50 ms', 'p99 ms', 'start', 'init', 'run', 'p50 to docker run', 'p50 to bubblewrap + python3'],
        rows: rows.map((row) => rowOf(row, docker, bare)),
        raw: rows,
      },
    ];
  },
};

async function inHearth({ options, say }: Bench): Promise<Measured[]> {
  const styles = STYLES.filter(({ program }) => options.libraries || program !== 'echo.py');
  const kinds = NETWORKS.flatMap((network) =>
    styles.map(({ style, program }) => ({ name: `${program.split('.')[0]}-${network}`, style, program, network })),
  );
  say('registering functions');
  await using seeded = await SeededFolder.create(
    options,
    kinds.map(({ name, program, network }) => ({ name, program, settings: { network } })),
  );
  const paths = new Map<string, string[]>();
  for (const { name } of kinds) paths.set(name, await seeded.copy(name, 0, options.count));

  const measured: Measured[] = [];
  for (const nursery of ['auto', 'off'] as const) {
    for (const pool of ['hit', 'empty'] as const) {
      const environment = { HEARTH_SANDBOX_NURSERY: nursery, ...(pool === 'empty' ? { HEARTH_POOL_MINIMUM: '0' } : {}) };
      await using platform = await BenchPlatform.start({ libraries: options.libraries, dataFrom: seeded.path, environment });
      await sleep(SETTLE_MS);
      for (const { name, style, network } of kinds) {
        say(`first calls: ${style}, network ${network}, nursery ${nursery}, pool ${pool}`);
        const body = '{"name": "Valera"}';
        const requests = (paths.get(name) ?? []).map((path) => ({ url: `${platform.gateway}${path}`, body }));
        const calls = await firstCalls(requests, { url: `${platform.gateway}/${name}`, body }, pool === 'hit' ? GAP_MS : 0);
        const isolation = `${nursery === 'auto' ? 'nursery' : 'bubblewrap'}, network ${network}`;
        const label = `Hearth, ${style}, pool ${pool} (${isolation})`;
        measured.push({ label, times: calls.map((call) => call.milliseconds), calls });
      }
    }
  }
  return measured;
}

function rowOf({ label, times, calls }: Measured, docker: Measured, bare: Measured): Row {
  const p50 = times && median(times);
  const part = (pick: (call: FirstCall) => number): number | null => (calls ? median(calls.map(pick)) : null);
  return {
    label,
    cells: [
      p50,
      times && percentile(times, 0.99),
      part((call) => call.start),
      part((call) => call.init),
      part((call) => call.run),
      ratio(p50, docker.times && median(docker.times)),
      ratio(p50, bare.times && median(bare.times)),
    ],
  };
}
