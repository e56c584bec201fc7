import { setTimeout as sleep } from 'node:timers/promises';
import { readCorpus } from '../../test/hostile/support/corpus.ts';
import { exchange, parseAnswers, RawConnection, whole } from '../../test/hostile/support/raw-connection.ts';
import type { Random } from '../keep-alive/random.ts';

const MIB = 1024 * 1024;
/** As long as well-behaved callers wait. Node.js accepts one connection in each turn of its event loop: on a busy machine a crowd of new ones takes its time. */
const PATIENCE_MS = 60_000;

/** One who calls the gateway in bad faith. Throws when the gateway does not answer as the RFCs and its documentation say. */
export interface HostileClient {
  name: string;
  act(gateway: string, random: Random): Promise<void>;
}

/** 128 MiB: more than all buffers between function and caller take. */
const STREAM_PIECES = 2048;

/** What the gateway's functions under attack are called: well-behaved themselves, and with a few instances only. */
export const TARGETS = {
  mirror: { eventKey: 'http|*|/*', code: 'def handler(m, c): return m["path"]' },
  stream: { eventKey: 'http|GET|/target/stream', code: `def handler(m, c):\n    for _ in range(${STREAM_PIECES}): yield b"x" * 65536` },
  sleeper: { eventKey: 'http|*|/target/sleep', code: 'import time\ndef handler(m, c):\n    time.sleep(0.5)\n    return "rested"' },
} as const;

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
const post = (path: string, more: string): string => `POST ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
const CORPUS = ['framing.txt', 'targets.txt'].flatMap(readCorpus);

export const HOSTILE_CLIENTS: readonly HostileClient[] = [
  { name: 'slow headers', act: (gateway) => drips(gateway, get('/slow').slice(0, -2), 'X-Drip: 1\r\n') },
  { name: 'slow body', act: (gateway) => drips(gateway, post('/slow', 'Content-Length: 1000\r\n'), 'x') },
  {
    name: 'smuggling',
    async act(gateway, random) {
      const { name, bytes, statuses } = random.pick(CORPUS);
      const refused = (statuses.at(-1) as number) >= 400;
      const answers = parseAnswers(await exchange(gateway, bytes, refused ? undefined : whole(statuses.length), PATIENCE_MS));
      // Beyond what the target's few instances can take, a request that is well-formed is refused.
      const got = answers.map(({ status }, index) => (status === 429 ? statuses[index] : status));
      if (String(got) !== String(statuses)) throw new Error(`${name}: answered ${answers.map(({ status }) => status)} in place of ${statuses}`);
    },
  },
  {
    name: 'garbage',
    async act(gateway, random) {
      const bytes = Buffer.from(Array.from({ length: 4096 }, () => Math.floor(random.next() * 256)));
      expectStatuses(await exchange(gateway, bytes, undefined, PATIENCE_MS), [400, 408, 501, 505, 414, 431]);
    },
  },
  {
    name: 'reset amid the reply',
    async act(gateway, random) {
      using connection = await RawConnection.open(gateway);
      connection.send(get('/target/stream'));
      await connection.until((text) => text.length > 100 + random.next() * 1_000_000, PATIENCE_MS);
      connection.socket.resetAndDestroy();
    },
  },
  {
    name: 'leaves before the reply',
    async act(gateway, random) {
      using connection = await RawConnection.open(gateway);
      connection.send(get('/target/sleep'));
      await sleep(random.next() * 600);
      connection.socket[random.pick(['destroy', 'resetAndDestroy'] as const)]();
    },
  },
  {
    name: 'slow reader',
    async act(gateway) {
      using connection = await RawConnection.open(gateway);
      connection.send(get('/target/stream', 'Connection: close\r\n'));
      // From the first byte on: until then the clock is another one.
      await connection.until((text) => text.length > 0, PATIENCE_MS);
      connection.socket.pause();
      await sleep(5000);
      connection.socket.resume();
      // It has been given up meanwhile: what was on its way comes, and the end.
      const { length } = await connection.closed(PATIENCE_MS);
      if (length > STREAM_PIECES * 0x10000) throw new Error(`got the whole stream, ${length} bytes`);
    },
  },
  {
    name: 'half-closed',
    async act(gateway) {
      using connection = await RawConnection.open(gateway);
      connection.send(get('/half')).finish();
      expectStatuses(await connection.closed(PATIENCE_MS), [200, 429]);
    },
  },
  {
    name: 'ends amid its request',
    async act(gateway) {
      using connection = await RawConnection.open(gateway);
      connection.send(`${post('/half', 'Content-Length: 1000\r\n')}abc`).finish();
      expectStatuses(await connection.closed(PATIENCE_MS), [400]);
    },
  },
  {
    name: 'idle connections',
    async act(gateway, random) {
      using connections = new DisposableStack();
      for (let n = 0; n < 100; n++) connections.use(await RawConnection.open(gateway));
      await sleep(random.next() * 1500);
    },
  },
  {
    name: 'oversized body',
    async act(gateway) {
      using connection = await RawConnection.open(gateway);
      connection.send(post('/large', `Content-Length: ${100 * MIB}\r\n`));
      const piece = Buffer.alloc(MIB / 4);
      for (let sent = 0; sent < 100 && !connection.ended; sent++) {
        connection.send(piece);
        await sleep(1);
      }
      expectStatuses(await connection.closed(PATIENCE_MS), [413]);
    },
  },
  {
    name: 'oversized chunks',
    async act(gateway) {
      using connection = await RawConnection.open(gateway);
      connection.send(post('/large', 'Transfer-Encoding: chunked\r\n'));
      const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
      for (let sent = 0; sent < 200 && !connection.ended; sent++) {
        connection.send(chunk);
        await sleep(1);
      }
      // On a machine that is busy enough the time for a request is over before it is too large.
      expectStatuses(await connection.closed(PATIENCE_MS), [413, 408]);
    },
  },
  {
    name: 'oversized headers',
    act: async (gateway) => expectStatuses(await exchange(gateway, get('/x', `X: ${'v'.repeat(200_000)}\r\n`), undefined, PATIENCE_MS), [431]),
  },
  {
    name: 'many headers',
    act: async (gateway) => expectStatuses(await exchange(gateway, get('/x', 'X: v\r\n'.repeat(1000)), undefined, PATIENCE_MS), [431]),
  },
  {
    name: 'long target',
    act: async (gateway) => expectStatuses(await exchange(gateway, get(`/${'x'.repeat(200_000)}`), undefined, PATIENCE_MS), [414, 431]),
  },
  {
    name: 'pipeline without reading',
    async act(gateway) {
      using connection = await RawConnection.open(gateway);
      connection.socket.pause();
      connection.send(get('/pipelined').repeat(500));
      await sleep(500);
      connection.socket.resetAndDestroy();
    },
  },
  {
    name: 'bodies for who does not take them',
    async act(gateway) {
      using connection = await RawConnection.open(gateway);
      connection.send(`${post('/target/stream', `Content-Length: ${MIB / 2}\r\n`)}${'x'.repeat(MIB / 2)}`);
      await connection.until((text) => text.includes('\r\n\r\n'), PATIENCE_MS);
    },
  },
];

/** However steadily it drips, it is cut. */
async function drips(gateway: string, head: string, drop: string): Promise<void> {
  using connection = await RawConnection.open(gateway);
  connection.send(head);
  const timer = setInterval(() => connection.send(drop), 100);
  try {
    expectStatuses(await connection.closed(PATIENCE_MS), [408]);
  } finally {
    clearInterval(timer);
  }
}

/** A single answer: nobody who misbehaves gets two. */
function expectStatuses(received: string, statuses: readonly number[]): void {
  const answers = parseAnswers(received).filter(({ status }) => status >= 200);
  if (answers.length !== 1 || !statuses.includes(answers[0]?.status as number)) {
    throw new Error(
      `answered ${answers.map(({ status }) => status)} in place of ${statuses.join(' or ')}: ${JSON.stringify(received.slice(0, 300))}`,
    );
  }
}
