import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Case, Row, Section } from '../lib/case.ts';
import { Client } from '../lib/client.ts';
import { Docker } from '../lib/docker.ts';
import { type FirstCall, firstCalls } from '../lib/first-calls.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { SeededFolder } from '../lib/seed.ts';
import { median, millisecondsSince, percentile } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';

const STYLES = [
  { style: 'handler', program: 'hello.py' },
  { style: 'pika script', program: 'echo.py' },
] as const;
/** Long enough for a container to be made in place of the one that was taken, on an idle machine. Milliseconds. */
const GAP_MS = 800;
/** After the start, for the pool. Milliseconds. */
const SETTLE_MS = 3000;
const BODY = '{"name": "Valera"}';

interface Measured {
  label: string;
  /** Milliseconds. */
  times: number[];
  calls?: FirstCall[];
}

/** What the driver `docker` makes of containers: calls of functions in them, cold and warm, beside `docker run` of the same image. */
export const docker: Case = {
  name: 'docker',
  summary: "a function's first call and the next ones in containers, from the pool and without, against docker run of the same image",
  async run({ options, say }: Bench): Promise<Section[]> {
    if (!options.docker) return [];
    await using engine = await Docker.start(say);
    const rows: Measured[] = [];
    for (const network of ['none', 'host'] as const) {
      say(`running containers, network ${network}`);
      rows.push({
        label: `\`docker run --rm\` of \`python3 -c pass\`, until its end (network ${network})`,
        times: await containerRuns(engine, network, options.containers),
      });
    }
    rows.push(...(await inHearth(engine, { options, say })));
    const plain = rows[0] as Measured;
    return [
      {
        title: 'Functions in containers',
        notes: [
          `All by one Docker Engine ${engine.version} (runc), of one image (Debian, python3, pika). \`docker run\` with Docker’s own seccomp profile and without limits; Hearth’s containers with its own filter, limits, a read-only root and a user of their own; network none.`,
          `${options.count} different functions each where a container is in stock, ${options.containers} where one is made for each call, ${options.count} warm calls; one after another, over one open connection, end to end: gateway, container, load of the code, function, answer.`,
          `Pool hit: ${GAP_MS} ms before each call, in which the pool makes another container. Pool empty: no pool (HEARTH_POOL_MINIMUM=0), calls without a pause. Instances of earlier calls stay alive and idle meanwhile.`,
          'start, init and run are medians of the platform’s own `Server-Timing`.',
        ],
        columns: ['p50 ms', 'p99 ms', 'start', 'init', 'run', 'p50 to docker run'],
        rows: rows.map((row) => rowOf(row, plain)),
        raw: rows,
      },
    ];
  },
};

async function containerRuns(engine: Docker, network: string, count: number): Promise<number[]> {
  const times: number[] = [];
  const once = () => engine.run(['--network', network], ['python3', '-c', 'pass']);
  await once();
  for (let index = 0; index < count; index++) {
    const start = process.hrtime.bigint();
    await once();
    times.push(millisecondsSince(start));
  }
  return times;
}

async function inHearth(engine: Docker, { options, say }: Bench): Promise<Measured[]> {
  const kinds = STYLES.filter(({ program }) => options.libraries || program !== 'echo.py').map((kind) => ({
    ...kind,
    name: kind.program.split('.')[0] as string,
    settings: { network: 'none' } as const,
  }));
  say('registering functions');
  await using seeded = await SeededFolder.create(options, kinds);
  const containers = { HEARTH_SANDBOX_DRIVER: 'docker', HEARTH_DOCKER_SOCKET: engine.socket, HEARTH_DOCKER_IMAGE: engine.image };
  const measured: Measured[] = [];
  let copied = 0;
  for (const { pool, count, environment } of [
    { pool: 'hit', count: options.count, environment: containers },
    { pool: 'empty', count: options.containers, environment: { ...containers, HEARTH_POOL_MINIMUM: '0' } },
  ]) {
    const paths: string[][] = [];
    for (const { name } of kinds) paths.push(await seeded.copy(name, copied, copied + count));
    copied += count;
    await using platform = await BenchPlatform.start({ libraries: options.libraries, dataFrom: seeded.path, environment });
    await sleep(SETTLE_MS);
    for (const [index, { name, style }] of kinds.entries()) {
      say(`first calls: ${style}, pool ${pool}`);
      const requests = (paths[index] ?? []).map((path) => ({ url: `${platform.gateway}${path}`, body: BODY }));
      const opener = { url: `${platform.gateway}/${name}`, body: BODY };
      const calls = await firstCalls(requests, opener, pool === 'hit' ? GAP_MS : 0);
      measured.push({ label: `Hearth, ${style}, pool ${pool} (docker)`, times: calls.map(({ milliseconds }) => milliseconds), calls });
      if (pool === 'hit') measured.push({ label: `Hearth, ${style}, warm (docker)`, times: await warmCalls(opener, options.count) });
    }
  }
  return measured;
}

async function warmCalls(request: { url: string; body: string }, count: number): Promise<number[]> {
  using client = new Client();
  await client.post(request);
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const { milliseconds, headers } = await client.post(request);
    if (headers['x-hearth-start'] !== 'warm') throw new Error(`${request.url} was to be warm, and was ${headers['x-hearth-start']}`);
    times.push(milliseconds);
  }
  return times;
}

function rowOf({ label, times, calls }: Measured, plain: Measured): Row {
  const part = (pick: (call: FirstCall) => number): number | null => (calls ? median(calls.map(pick)) : null);
  return {
    label,
    cells: [
      median(times),
      percentile(times, 0.99),
      part((call) => call.start),
      part((call) => call.init),
      part((call) => call.run),
      ratio(median(times), median(plain.times)),
    ],
  };
}
