import { readFile } from 'node:fs/promises';
import type { NetworkMode } from '../../src/sandbox/driver.ts';
import type { Bench, Case, Row, Section } from '../lib/case.ts';
import { Docker } from '../lib/docker.ts';
import { type FirstCall, firstCalls } from '../lib/first-calls.ts';
import { PROGRAMS } from '../lib/folders.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { interpreterStarts, sandboxStarts } from '../lib/start-times.ts';
import { median, millisecondsSince, percentile } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';

const NETWORKS: readonly NetworkMode[] = ['none', 'egress'];

interface Measured {
  label: string;
  /** Milliseconds; null when it could not be measured, which `label` then explains. */
  times: number[] | null;
  calls?: FirstCall[];
}

/** The first call of a handler that never ran before, beside what its parts and its alternatives cost. */
export const cold: Case = {
  name: 'cold',
  summary: "a handler's first call, against docker run, bubblewrap and a bare interpreter",
  async run(bench: Bench): Promise<Section[]> {
    const { options, say } = bench;
    const rows: Measured[] = [];
    const docker = await emptyContainers(bench);
    rows.push(docker);
    say('starting interpreters');
    rows.push({ label: '`python3 -I -c pass`, until its end, no isolation', times: await interpreterStarts(options.count) });
    for (const network of NETWORKS) {
      say(`starting sandboxes, network ${network}`);
      const times = await sandboxStarts(network, options.count);
      const what = `bubblewrap + python3, from the driver's create to Hello (network ${network})`;
      rows.push({ label: times ? what : `${what}: this network can't be had here`, times });
    }
    rows.push(...(await handlers(bench)));

    return [
      {
        title: 'First call of a handler',
        notes: [
          `${options.count} different functions, registered beforehand, each called once, one after another, over one open connection; ${options.containers} containers; ${options.count} starts of the rest.`,
          'A first call goes end to end: gateway, sandbox, load of the code, handler, answer. Instances of earlier calls stay alive and idle meanwhile.',
          'start, init and run are medians of the platform’s own `Server-Timing`.',
        ],
        columns: ['p50 ms', 'p99 ms', 'start', 'init', 'run', 'p50 to docker run'],
        rows: rows.map((row) => rowOf(row, docker)),
        raw: rows,
      },
    ];
  },
};

async function handlers({ options, say }: Bench): Promise<Measured[]> {
  say('starting the platform');
  await using platform = await BenchPlatform.start(options);
  const code = await readFile(`${PROGRAMS}hello.py`, 'utf8');
  const measured: Measured[] = [];
  for (const network of NETWORKS) {
    if (network === 'egress' && !platform.isolation.endsWith('egress')) continue;
    say(`calling ${options.count} handlers for the first time, network ${network}`);
    const calls = await firstCalls(platform, `hello-${network}`, code, '{"name": "Valera"}', options.count, { network });
    measured.push({
      label: `Hearth, first call of a handler (bubblewrap, network ${network})`,
      times: calls.map((call) => call.milliseconds),
      calls,
    });
  }
  return measured;
}

async function emptyContainers({ options, say }: Bench): Promise<Measured> {
  const label = '`docker run --rm` of `python3 -c pass`, until its end';
  if (!options.docker) return { label: `${label}: left out`, times: null };
  let docker: Docker;
  try {
    docker = await Docker.start(say);
  } catch (error) {
    return { label: `${label}: not measured, ${(error as Error).message}`, times: null };
  }
  await using owned = docker;
  say('running containers');
  const times: number[] = [];
  await owned.run([], ['python3', '-c', 'pass']);
  for (let index = 0; index < options.containers; index++) {
    const start = process.hrtime.bigint();
    await owned.run([], ['python3', '-c', 'pass']);
    times.push(millisecondsSince(start));
  }
  return { label: `${label} (runc, default seccomp profile, network host; Docker ${owned.version})`, times };
}

function rowOf({ label, times, calls }: Measured, docker: Measured): Row {
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
    ],
  };
}
