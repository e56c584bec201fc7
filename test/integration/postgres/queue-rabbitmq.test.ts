import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DurableQueue, Lease } from '../../../src/queue/durable-queue.ts';
import { createTickets } from '../../../src/queue/tickets/create-tickets.ts';
import { sleep, until } from '../../support/hearth.ts';
import { Postgres } from '../../support/postgres.ts';
import { RabbitMq } from '../../support/rabbitmq.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { LANE, newInvocation, succeeded } from '../../unit/queue/test-queue.ts';
import { PostgresPlace } from './queue-place.ts';

/** A broker that was killed takes its time, most of all where others want the cores too. */
const PATIENCE_MS = 90_000;

describe('a queue whose work RabbitMQ hands out', { timeout: 240_000 }, () => {
  let server: Postgres;
  let broker: RabbitMq;
  let way: TcpProxy;
  let place: PostgresPlace;
  let a: DurableQueue;
  let b: DurableQueue;

  beforeAll(async () => {
    [server, broker] = await Promise.all([Postgres.start(), RabbitMq.start()]);
    way = await TcpProxy.start(broker.port);
    place = await PostgresPlace.make(server.url);
    const open = async (node: string, url: string) => {
      const log = { info: () => undefined, warn: () => undefined };
      const tickets = createTickets({ url, prefix: 'test', heartbeatS: 3, random: Math.random, log });
      return (await place.open({ node, tickets })).queue;
    };
    a = await open('node-a', broker.url);
    b = await open('node-b', broker.url.replace(/:\d+$/, `:${way.port}`));
  });
  afterAll(async () => {
    await place?.[Symbol.asyncDispose]();
    await way?.[Symbol.asyncDispose]();
    await broker?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  /** As soon as its ticket is there. */
  async function take(queue: DurableQueue): Promise<Lease> {
    let lease: Lease | undefined;
    await until(async () => {
      lease = (await queue.take(LANE, 1, 60_000)).taken[0]?.lease;
      return lease !== undefined;
    });
    return lease as Lease;
  }

  /** Tickets in queues and in nodes' hands. */
  const tickets = async () => {
    const text = await broker.control('-q', 'list_queues', '--no-table-headers', 'messages');
    return text.split('\n').reduce((sum, line) => sum + Number(line.trim()), 0);
  };

  it('runs on one node what another accepted, and elsewhere what was under way when a connection broke', async () => {
    const { id } = await a.accept(newInvocation({ maxAgeMs: 3600_000 }));
    const first = await take(b);
    expect(first).toEqual({ id, attempt: 1 });
    const voided = new Promise<readonly Lease[]>((resolve) => b.onVoided(resolve));
    way.cut();
    expect(await voided).toEqual([first]);
    const second = await take(a);
    expect(second).toEqual({ id, attempt: 2 });
    expect(await b.settle(first, succeeded('late'))).toBe(false);
    expect(await a.settle(second, succeeded())).toBe(true);
  });

  it('loses nothing when the broker is killed, and leaves no ticket when all is done', async () => {
    const cancelled = await a.accept(newInvocation({ priority: 0 }));
    const accepted = await Promise.all(Array.from({ length: 12 }, (_, index) => (index % 2 ? a : b).accept(newInvocation())));
    const running = [await take(a), await take(b)];
    await b.cancel(cancelled.id);
    // RabbitMQ 3.10 forgets a quorum queue, with all that it has confirmed, when it is killed within moments of declaring it.
    await sleep(3000);
    await broker.kill();
    const meanwhile = await Promise.all([a.accept(newInvocation()), b.accept(newInvocation())]);
    for (const queue of [a, b]) expect((await queue.take(LANE, 5, 60_000)).taken).toEqual([]);
    await broker.startNode();
    const ran: Lease[] = [];
    const ids = [...accepted, ...meanwhile].map(({ id }) => id);
    const states = () => Promise.all(ids.map(async (id) => (await a.get(id))?.state));
    await until(async () => {
      for (const queue of [a, b]) {
        for (const { lease } of (await queue.take(LANE, 3, 60_000)).taken) if (await queue.settle(lease, succeeded())) ran.push(lease);
      }
      return (await states()).every((state) => state === 'succeeded');
    }, PATIENCE_MS);
    expect(ran.map(({ id }) => id).sort()).toEqual(ids.toSorted());
    // What ran under tickets that the broker took back was run again, under another number.
    for (const { id } of running) expect((await a.get(id))?.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'succeeded']);
    await until(async () => {
      for (const queue of [a, b]) await queue.take(LANE, 5, 60_000);
      return (await tickets()) === 0;
    }, PATIENCE_MS);
    expect((await a.get(cancelled.id))?.state).toBe('cancelled');
  });
});
