import { setTimeout as sleep } from 'node:timers/promises';
import { callEach } from '../lib/call-each.ts';
import type { Bench, Case, Row, Section } from '../lib/case.ts';
import { containerStarts } from '../lib/containers.ts';
import { cpuTime } from '../lib/cpu-time.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { SeededFolder } from '../lib/seed.ts';
import { median, percentile } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';

const CONCURRENCY = 64;
const SETTLE_MS = 1000;
const BODY = '{"name": "Valera"}';

interface Measured {
  label: string;
  p50: number;
  p99: number;
  perSecond: number;
  /** Shares of the machine's busy time: the platform's own process, and the client. Null where there is no such. */
  platformShare: number | null;
  clientShare: number | null;
}

/** Many functions that never ran, all at once: how many cold starts a second there can be. */
export const storm: Case = {
  name: 'storm',
  summary: 'a thousand different functions called once each at concurrency 64, against docker run',
  async run(bench: Bench): Promise<Section[]> {
    const { options, say } = bench;
    const [count, countOff] = options.quick ? [100, 40] : [1000, 200];
    const docker = await containerStarts(bench, Math.min(options.containers, 10));
    say('registering functions');
    await using seeded = await SeededFolder.create(options, [{ name: 'storm', program: 'hello.py', settings: { network: 'none' } }]);
    const paths = await seeded.copy('storm', 0, count);
    const rows = [await hearth(bench, seeded, paths, 'auto'), await hearth(bench, seeded, paths.slice(0, countOff), 'off')];

    const baseline = docker.times && 1000 / median(docker.times);
    return [
      {
        title: `Storm: different functions called once each, concurrency ${CONCURRENCY}`,
        notes: [
          `${count} handlers (bubblewrap: ${countOff}), registered beforehand, none ever run, called once each over ${CONCURRENCY} connections; every one answered 200. Their instances stay alive.`,
          'Containers start one after another here; their starts/s are 1/p50.',
          "Platform and client: their processes' parts of all CPU time that the machine spent meanwhile; the rest are sandboxes, zygotes and the kernel on their behalf.",
        ],
        columns: ['cold starts/s', 'p50 ms', 'p99 ms', 'platform', 'client', 'starts/s to docker run'],
        rows: [
          {
            label: docker.label,
            cells: [
              baseline,
              docker.times && median(docker.times),
              docker.times && percentile(docker.times, 0.99),
              null,
              null,
              ratio(baseline, baseline),
            ],
          },
          ...rows.map((row) => rowOf(row, baseline)),
        ],
        raw: { docker, rows },
      },
    ];
  },
};

async function hearth({ options, say }: Bench, seeded: SeededFolder, paths: readonly string[], nursery: 'auto' | 'off'): Promise<Measured> {
  const environment = { HEARTH_SANDBOX_NURSERY: nursery };
  await using platform = await BenchPlatform.start({ libraries: options.libraries, dataFrom: seeded.path, environment });
  await callEach([{ url: `${platform.gateway}/storm`, body: BODY }], 1);
  await sleep(SETTLE_MS);
  say(`${paths.length} first calls, nursery ${nursery}`);
  const requests = paths.map((path) => ({ url: `${platform.gateway}${path}`, body: BODY }));
  const [before, client] = [await cpuTime(platform.pid), process.cpuUsage()];
  const { answers, milliseconds } = await callEach(requests, CONCURRENCY);
  const [after, clientUsed] = [await cpuTime(platform.pid), process.cpuUsage(client)];
  const warm = answers.filter(({ headers }) => headers['x-hearth-start'] !== 'cold').length;
  if (warm > 0) throw new Error(`${warm} of ${answers.length} first calls were no cold starts`);
  const times = answers.map((answer) => answer.milliseconds);
  const machine = after.machine - before.machine;
  return {
    label: `Hearth (${nursery === 'auto' ? 'nursery' : 'bubblewrap'}, network none)`,
    p50: median(times),
    p99: percentile(times, 0.99),
    perSecond: (answers.length * 1000) / milliseconds,
    platformShare: (after.process - before.process) / machine,
    clientShare: (clientUsed.user + clientUsed.system) / 1e6 / machine,
  };
}

function rowOf({ label, p50, p99, perSecond, platformShare, clientShare }: Measured, baseline: number | null): Row {
  const percent = (share: number | null): string | null => (share === null ? null : `${(share * 100).toFixed(0)} %`);
  return { label, cells: [perSecond, p50, p99, percent(platformShare), percent(clientShare), ratio(perSecond, baseline)] };
}
