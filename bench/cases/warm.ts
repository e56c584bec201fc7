import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Bench, Case, Row, Section } from '../lib/case.ts';
import { Child, listening } from '../lib/child.ts';
import { Client } from '../lib/client.ts';
import { PROGRAMS } from '../lib/folders.ts';
import { freePort } from '../lib/free-port.ts';
import { Nginx } from '../lib/nginx.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { median } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';
import { startUvicorn } from '../lib/uvicorn.ts';
import { type Load, load } from '../lib/wrk.ts';

const CONCURRENCIES = [1, 32] as const;
const NODE_SERVER = fileURLToPath(new URL('../programs/hello-node.ts', import.meta.url));
const BODY = '{"name": "Valera"}';

interface Server {
  label: string;
  url: string;
  /** By concurrency, a Load of each round. */
  loads: Map<number, Load[]>;
}

/** A Python handler through the gateway, beside what the same work costs without a platform. */
export const warm: Case = {
  name: 'warm',
  summary: 'a warm handler through the gateway, against bare node:http, uvicorn, and nginx in front of it',
  async run(bench: Bench): Promise<Section[]> {
    const { options, say } = bench;
    await using cleanUp = new AsyncDisposableStack();
    const port = await freePort();
    const node = cleanUp.use(new Child(process.execPath, [NODE_SERVER, String(port)]));
    await listening(node, port);
    say('starting uvicorn');
    const uvicorn = await startUvicorn();
    cleanUp.use(uvicorn.child);
    const nginx = await Nginx.start(uvicorn.url);
    if (nginx) cleanUp.use(nginx);
    say('starting the platform');
    const platform = cleanUp.use(await BenchPlatform.start(options));

    const define = async (name: string, file: string): Promise<string> => platform.define(name, await readFile(`${PROGRAMS}${file}`, 'utf8'));
    const server = (label: string, url: string): Server => ({ label, url, loads: new Map(CONCURRENCIES.map((c) => [c, []])) });
    const bare = server('(a) bare node:http, no Python, no isolation', `http://127.0.0.1:${port}/`);
    const asgi = server(`(b) uvicorn ${uvicorn.version}, uvloop, httptools, no isolation`, uvicorn.url);
    const servers = [
      bare,
      asgi,
      ...(nginx ? [server(`(c) nginx ${nginx.version}, one worker, in front of (b), no isolation`, nginx.url)] : []),
      server(`Hearth, handler (${platform.isolation})`, await define('hello', 'hello.py')),
      server(`Hearth, async handler (${platform.isolation})`, await define('hello-async', 'hello_async.py')),
    ];

    await checkAnswers(servers);
    say('warming up');
    for (const { url } of servers) await load({ url, body: BODY }, 32, options.quick ? 1 : 3);
    for (let round = 1; round <= options.rounds; round++) {
      for (const connections of CONCURRENCIES) {
        say(`round ${round} of ${options.rounds}, concurrency ${connections}`);
        for (const { url, loads } of servers) loads.get(connections)?.push(await load({ url, body: BODY }, connections, options.seconds));
      }
    }
    await checkAnswers(servers);

    const notes = [
      ...(nginx ? [] : ['nginx in front of uvicorn was not measured: it is not installed (apt-get install nginx-light).']),
      'A handler that returns `{"hello": name}` from a JSON body of 18 bytes; POST, keep-alive, one process for each server, the same wrk (one thread, closed loop) for all.',
      `${options.rounds} round(s) of ${options.seconds} s per server and concurrency, interleaved; each figure is the median of the rounds. wrk shares the cores with what it measures.`,
      'The platform logs each invocation to a file and records it in SQLite, as by default. At 32 connections it may run several instances of the first function.',
    ];
    return CONCURRENCIES.map((connections) => ({
      title: `Warm handler, concurrency ${connections}`,
      notes: connections === CONCURRENCIES[0] ? notes : ['As above.'],
      columns: ['p50 ms', 'p99 ms', 'requests/s', 'p50 to (a)', 'p50 to (b)', 'requests/s to (a)', 'requests/s to (b)', 'requests/s to (c)'],
      rows: servers.map((one) =>
        rowOf(
          one,
          bare,
          asgi,
          servers.find(({ label }) => label.startsWith('(c)')),
          connections,
        ),
      ),
      raw: servers.map(({ label, loads }) => ({ label, connections, rounds: loads.get(connections) })),
    }));
  },
};

function rowOf(server: Server, bare: Server, asgi: Server, proxied: Server | undefined, connections: number): Row {
  const of = ({ loads }: Server, pick: (load: Load) => number): number => median((loads.get(connections) ?? []).map(pick));
  const p50 = (one: Server): number => of(one, (l) => l.p50);
  const rate = (one: Server): number => of(one, (l) => l.requestsPerSecond);
  return {
    label: server.label,
    cells: [
      p50(server),
      of(server, (l) => l.p99),
      rate(server),
      ratio(p50(server), p50(bare)),
      ratio(p50(server), p50(asgi)),
      ratio(rate(server), rate(bare)),
      ratio(rate(server), rate(asgi)),
      ratio(rate(server), proxied ? rate(proxied) : null),
    ],
  };
}

/** All must do the same work, or the comparison is none. */
async function checkAnswers(servers: readonly Server[]): Promise<void> {
  using client = new Client();
  for (const { label, url } of servers) {
    const { body } = await client.post({ url, body: BODY });
    if ((JSON.parse(body) as { hello?: unknown }).hello !== 'Valera') throw new Error(`${label} answered ${body}`);
  }
}
