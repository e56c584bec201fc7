import { readFile } from 'node:fs/promises';
import type { Bench, Case, Row, Section } from '../lib/case.ts';
import { Client } from '../lib/client.ts';
import { type ContainerRun, runEchoContainer } from '../lib/container-echo.ts';
import { Docker } from '../lib/docker.ts';
import { firstCalls } from '../lib/first-calls.ts';
import { PROGRAMS } from '../lib/folders.ts';
import { MessageQueue } from '../lib/message-queue.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { median, millisecondsSince, percentile } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';
import { type Load, load } from '../lib/wrk.ts';

const CONCURRENCY = 8;
const LOADS = [1, CONCURRENCY, 32] as const;
const BODY = '{"Hello": "Valera"}';

interface Measured {
  label: string;
  p50: number | null;
  p99: number | null;
  requestsPerSecond: number | null;
  raw: unknown;
}

/** The first functions' way: a script that answers over AMQP with pika, a fresh process for each request. */
export const script: Case = {
  name: 'script',
  summary: 'the pika echo script, warm and first call, against docker run of the same script',
  async run(bench: Bench): Promise<Section[]> {
    const { options } = bench;
    if (!options.libraries) throw new Error('a script that imports pika needs the libraries: leave out --no-libraries');
    const containers = await inContainers(bench);
    const hearth = await inHearth(bench);
    const [baseline] = containers as [Measured];
    return [
      {
        title: 'The pika echo script',
        notes: [
          'The same file everywhere (bench/programs/echo.py: connect, declare, publish, close), a fresh Python process for each request, and a real AMQP conversation each time.',
          "In containers `message_queue` is Hearth's reply endpoint listening on the host's loopback, reached by `--network host`: no bridge, no broker between, the quickest that Docker can do.",
          `${options.containers} containers one after another for latency; ${CONCURRENCY} at a time for requests/s. Hearth warm: wrk, ${options.rounds} round(s) of ${options.seconds} s, medians; first calls: ${firstCallCount(bench)} different functions, once each.`,
        ],
        columns: ['p50 ms', 'p99 ms', 'requests/s', 'p50 to (c)', 'requests/s to (c)'],
        rows: [...containers, ...hearth].map((row) => rowOf(row, baseline)),
        raw: [...containers, ...hearth],
      },
    ];
  },
};

/** Each keeps a template of some 30 MiB alive. */
function firstCallCount({ options }: Bench): number {
  return Math.min(options.count, 100);
}

async function inHearth(bench: Bench): Promise<Measured[]> {
  const { options, say } = bench;
  say('starting the platform');
  await using platform = await BenchPlatform.start(options);
  const code = await readFile(`${PROGRAMS}echo.py`, 'utf8');
  const url = await platform.define('echo', code);
  using client = new Client();
  const { body } = await client.post({ url, body: BODY });
  if (body !== '{"body": {"Hello": "Valera"}}') throw new Error(`the script answered ${body}`);

  const loads = new Map<number, Load[]>(LOADS.map((connections) => [connections, []]));
  await load({ url, body: BODY }, CONCURRENCY, Math.min(3, options.seconds));
  for (let round = 1; round <= options.rounds; round++) {
    say(`round ${round} of ${options.rounds}`);
    for (const [connections, of] of loads) of.push(await load({ url, body: BODY }, connections, options.seconds));
  }
  const warm = [...loads].map(([connections, of]): Measured => {
    const middle = (pick: (one: Load) => number): number => median(of.map(pick));
    const label = `Hearth, warm, concurrency ${connections} (${platform.isolation}; fork of a template)`;
    return { label, p50: middle((l) => l.p50), p99: middle((l) => l.p99), requestsPerSecond: middle((l) => l.requestsPerSecond), raw: of };
  });

  say('calling scripts for the first time');
  const requests = await Promise.all(
    Array.from({ length: firstCallCount(bench) }, async (_, index) => ({
      url: await platform.define(`echo-${index}`, `# ${index}\n${code}`),
      body: BODY,
    })),
  );
  const calls = await firstCalls(requests, { url, body: BODY }, 0);
  const times = calls.map((call) => call.milliseconds);
  const label = `Hearth, first call (${platform.isolation})`;
  return [...warm, { label, p50: median(times), p99: percentile(times, 0.99), requestsPerSecond: null, raw: calls }];
}

async function inContainers({ options, say }: Bench): Promise<Measured[]> {
  const label = '(c) `docker run --rm`, until the answer';
  const without = (why: string): Measured[] => [{ label: `${label}: ${why}`, p50: null, p99: null, requestsPerSecond: null, raw: null }];
  if (!options.docker) return without('left out');
  await using cleanUp = new AsyncDisposableStack();
  let docker: Docker;
  let queue: MessageQueue;
  try {
    docker = cleanUp.use(await Docker.start(say));
    queue = cleanUp.use(await MessageQueue.listen());
  } catch (error) {
    return without(`not measured, ${(error as Error).message}`);
  }
  say('running containers');
  await runEchoContainer(docker, queue);
  const runs: ContainerRun[] = [];
  for (let index = 0; index < options.containers; index++) runs.push(await runEchoContainer(docker, queue));

  say(`running containers, ${CONCURRENCY} at a time`);
  const rounds = Math.max(1, Math.round(options.containers / 5));
  const start = process.hrtime.bigint();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (let round = 0; round < rounds; round++) await runEchoContainer(docker, queue);
    }),
  );
  const requestsPerSecond = (CONCURRENCY * rounds * 1000) / millisecondsSince(start);

  const isolation = `runc, default seccomp profile, network host; Docker ${docker.version}`;
  const row = (label: string, pick: (run: ContainerRun) => number): Measured => {
    const times = runs.map(pick);
    return { label, p50: median(times), p99: percentile(times, 0.99), requestsPerSecond, raw: { times, requestsPerSecond } };
  };
  return [row(`${label} (${isolation})`, (run) => run.answeredMs), row('`docker run --rm`, until the container is gone', (run) => run.goneMs)];
}

function rowOf({ label, p50, p99, requestsPerSecond }: Measured, baseline: Measured): Row {
  return { label, cells: [p50, p99, requestsPerSecond, ratio(p50, baseline.p50), ratio(requestsPerSecond, baseline.requestsPerSecond)] };
}
