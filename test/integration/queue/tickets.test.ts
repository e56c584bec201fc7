import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LaneKey } from '../../../src/queue/durable-queue.ts';
import { createTickets } from '../../../src/queue/tickets/create-tickets.ts';
import type { Ticket, Tickets } from '../../../src/queue/tickets/tickets.ts';
import { until } from '../../support/hearth.ts';
import { RabbitMqCluster, type RabbitMqNode } from '../../support/rabbitmq.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';

const SLOW_MS = 180_000;

/** One platform's end of it. */
class User {
  readonly tickets: Tickets;
  readonly lost: string[] = [];
  readonly dead: [id: string, lane: string, reason: string][] = [];
  readonly gone: string[] = [];
  readonly logged: { fields: Record<string, unknown>; message: string }[] = [];
  /** Dead tickets that it fails to deal with. */
  failures = 0;

  constructor(url: string, random: () => number) {
    const log = (fields: object, message: string): void => void this.logged.push({ fields: fields as Record<string, unknown>, message });
    this.tickets = createTickets({ url, prefix: 'test', random, heartbeatS: 3, log: { info: log, warn: log } });
    this.tickets.onLost((ids) => this.lost.push(...ids));
    this.tickets.onGone(({ functionName }) => this.gone.push(functionName));
    this.tickets.onDead(async (id, lane, reason) => {
      if (this.failures-- > 0) throw new Error('not now');
      this.dead.push([id, lane.functionName, reason]);
    });
    void this.tickets.start();
  }

  /** Each time. */
  get connectedTo(): unknown[] {
    return this.logged.filter(({ message }) => message === 'connected to the broker').map(({ fields }) => fields.broker);
  }

  publish(lane: LaneKey, ids: readonly string[], expiresInMs: number | null = null): Promise<void> {
    return this.tickets.publish(ids.map((id) => ({ lane, id, expiresInMs })));
  }

  /** As many as are wanted, whenever they come. */
  async pull(lane: LaneKey, count: number): Promise<Ticket[]> {
    const pulled: Ticket[] = [];
    await until(async () => {
      pulled.push(...(await this.tickets.pull(lane, count - pulled.length)));
      return pulled.length === count;
    }, 60_000);
    return pulled;
  }
}

const laneOf = (functionName: string): LaneKey => ({ functionName, versionNumber: 1 });
const idsOf = (tickets: readonly Ticket[]): string[] => tickets.map(({ id }) => id).sort();
const numbered = (name: string, count: number): string[] => Array.from({ length: count }, (_, index) => `${name}-${String(index).padStart(3, '0')}`);

describe('tickets in a cluster of three brokers', () => {
  let cluster: RabbitMqCluster;
  let way: TcpProxy;
  /** Whose connections begin with the first node. */
  let first: User;
  /** Whose connections begin with the second node, which it reaches by a way that can be cut. */
  let second: User;

  beforeAll(async () => {
    cluster = await RabbitMqCluster.start(3);
    const [one, two, three] = cluster.nodes as [RabbitMqNode, RabbitMqNode, RabbitMqNode];
    way = await TcpProxy.start(two.port);
    first = new User(cluster.url, () => 0);
    second = new User([one.url, two.url.replace(`:${two.port}`, `:${way.port}`), three.url].join(','), () => 0.5);
  }, SLOW_MS);

  afterAll(async () => {
    await first?.tickets.close();
    await second?.tickets.close();
    await way?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  it('are confirmed, pulled by whoever has room and no further, and gone once they are acknowledged', async () => {
    const lane = laneOf('shared');
    await first.publish(lane, numbered('shared', 10));
    expect(first.gone).toEqual(['shared']);
    const mine = await first.tickets.pull(lane, 3);
    expect(mine).toHaveLength(3);
    const others = await second.pull(lane, 7);
    expect(idsOf([...mine, ...others])).toEqual(numbered('shared', 10));
    expect(mine.some(({ redelivered }) => redelivered)).toBe(false);
    expect(await second.tickets.pull(lane, 5)).toEqual([]);
    for (const ticket of [...mine.slice(1), ...others]) ticket.acknowledge();
    mine[0]?.giveBack();
    // Twice changes nothing.
    mine[0]?.acknowledge();
    const [again] = await second.pull(lane, 1);
    expect(again).toMatchObject({ id: mine[0]?.id, redelivered: true });
    again?.acknowledge();
    expect([...first.lost, ...second.lost]).toEqual([]);
  });

  it('are told as lost when the connection is cut, and redelivered; acknowledging them then does nothing', async () => {
    const lane = laneOf('cut');
    await second.publish(lane, ['a', 'b', 'c']);
    const held = await second.pull(lane, 2);
    way.cut();
    await until(() => second.lost.length === 2);
    expect(second.lost.sort()).toEqual(idsOf(held));
    const again = await first.pull(lane, 3);
    for (const ticket of held) ticket.acknowledge();
    expect(
      again
        .filter(({ redelivered }) => redelivered)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(idsOf(held));
    for (const ticket of again) ticket.acknowledge();
    // Both connections, for pulling and for publishing, go over to the next node.
    await until(() => second.connectedTo.length === 4);
    expect(second.connectedTo.slice(2)).toEqual(Array(2).fill(`amqp://127.0.0.1:${cluster.nodes[2]?.port}/`));
  });

  it('are dead when their time is over or when they were given back too often, and are told until it was dealt with', async () => {
    const lane = laneOf('deadly');
    first.failures = 1;
    await first.publish(lane, ['late'], 1);
    await until(() => first.tickets.pull(lane, 1).then(() => [...first.dead, ...second.dead].length === 1), 60_000);
    await first.publish(lane, ['poison']);
    await until(async () => {
      for (const ticket of await first.tickets.pull(lane, 1)) ticket.giveBack();
      return [...first.dead, ...second.dead].length === 2;
    }, 60_000);
    expect([...first.dead, ...second.dead]).toEqual(
      expect.arrayContaining([
        ['late', 'deadly', 'expired'],
        ['poison', 'deadly', 'delivery_limit'],
      ]),
    );
  });

  it('of a lane whose queue was deleted are told as gone, and the queue is made anew; one that is otherwise is used as it is', async () => {
    const connection = await connect(cluster.nodes[0]?.url ?? '');
    const channel = await connection.createChannel();
    const lane = laneOf('deleted');
    await first.publish(lane, ['a', 'b']);
    const [held] = await first.pull(lane, 1);
    await channel.deleteQueue('test.deleted@1');
    first.gone.length = 0;
    expect(await first.tickets.pull(lane, 1)).toEqual([]);
    expect(first.gone).toEqual(['deleted']);
    await until(() => first.lost.includes(held?.id ?? ''));
    await first.publish(lane, ['c']);
    const [again] = await second.pull(lane, 1);
    await channel.deleteQueue('test.deleted@1');
    // It is known to be there, so that only the broker can tell.
    await first.publish(lane, ['d']);
    expect(idsOf(await second.pull(lane, 1))).toEqual(['d']);
    again?.acknowledge();

    await channel.assertQueue('test.odd@1', { durable: true });
    await first.publish(laneOf('odd'), ['e']);
    expect(idsOf(await second.pull(laneOf('odd'), 1))).toEqual(['e']);
    expect(first.logged).toContainEqual({
      fields: { queue: 'test.odd@1', reason: expect.stringContaining('PRECONDITION') },
      message: expect.stringContaining('other arguments'),
    });
    await connection.close();
  });

  it(
    'that were confirmed survive the broker that led their queue, by another node, within seconds',
    async () => {
      const lane = laneOf('survivor');
      // The queue's leader is on the node that declares it.
      await first.publish(lane, numbered('before', 50));
      const confirmed = new Set(numbered('before', 50));
      const stop = new AbortController();
      const publishing = (async () => {
        for (let round = 0; !stop.signal.aborted; round++) {
          const ids = numbered(`r${round}`, 10);
          await first.publish(lane, ids).then(
            () => {
              for (const id of ids) confirmed.add(id);
            },
            () => undefined,
          );
        }
      })();
      const held = await first.pull(lane, 3);
      await until(() => confirmed.size > 80);
      await (cluster.nodes[0] as RabbitMqNode).kill();
      const atKill = confirmed.size;
      await until(() => confirmed.size > atKill + 50, 60_000);
      stop.abort();
      await publishing;
      expect(first.lost).toEqual(expect.arrayContaining(idsOf(held)));
      const seen = new Set<string>();
      await until(async () => {
        for (const ticket of [...(await first.tickets.pull(lane, 100)), ...(await second.tickets.pull(lane, 100))]) {
          seen.add(ticket.id);
          ticket.acknowledge();
        }
        return [...confirmed].every((id) => seen.has(id));
      }, 60_000);
      await until(() => first.connectedTo.length === 4);
      expect(first.connectedTo.slice(2)).toEqual(Array(2).fill(`amqp://127.0.0.1:${cluster.nodes[1]?.port}/`));
      for (const password of ['p@ss', 'p%40ss']) expect(JSON.stringify([...first.logged, ...second.logged])).not.toContain(password);
    },
    SLOW_MS,
  );
});
