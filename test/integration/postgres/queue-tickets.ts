import { afterEach, beforeEach, expect, it } from 'vitest';
import type { DurableQueue, Lease } from '../../../src/queue/durable-queue.ts';
import { until } from '../../support/hearth.ts';
import type { Postgres } from '../../support/postgres.ts';
import { LANE, newInvocation, retry, succeeded, takeOne } from '../../unit/queue/test-queue.ts';
import { PostgresPlace } from './queue-place.ts';
import { TestBroker, type TestTickets } from './test-broker.ts';

/** What a queue does with tickets, whatever becomes of them. */
export function queueWithTickets(server: () => Postgres): void {
  let place: PostgresPlace;
  let broker: TestBroker;
  let tickets: [TestTickets, TestTickets];
  let a: DurableQueue;
  let b: DurableQueue;
  let pass: (ms: number) => void;

  beforeEach(async () => {
    place = await PostgresPlace.make(server().url);
    broker = new TestBroker();
    tickets = [broker.connect(), broker.connect()];
    const first = await place.open({ node: 'node-a', tickets: tickets[0] });
    const second = await place.open({ node: 'node-b', tickets: tickets[1] });
    [a, b] = [first.queue, second.queue];
    pass = (ms) => {
      first.pass(ms);
      second.pass(ms);
    };
  });
  afterEach(() => place[Symbol.asyncDispose]());

  /** Accepts, and waits for the ticket. */
  async function accepted(members: Parameters<typeof newInvocation>[0] = {}): Promise<string> {
    const before = broker.published.length;
    const { id } = await a.accept(newInvocation(members));
    await until(() => broker.published.length > before);
    return id;
  }

  it('hands out work by them: accepted on one node, run on another', async () => {
    const worked = new Promise<string>((resolve) => b.onWork(({ functionName }) => resolve(functionName)));
    const id = await accepted({ maxAgeMs: 60_000 });
    expect(broker.published).toMatchObject([{ lane: LANE, expiresInMs: expect.closeTo(61_000, -4) }]);
    expect(await worked).toBe('echo');
    const { lease } = await takeOne(b);
    expect(lease).toEqual({ id, attempt: 1 });
    expect((await a.take(LANE, 1, 1000)).taken).toEqual([]);
    expect(tickets[1].held.size).toBe(1);
    expect(await b.settle(lease, succeeded())).toBe(true);
    expect(tickets[1].held.size).toBe(0);
  });

  it('takes the best that is due, whatever it was published for', async () => {
    const low = await accepted({ priority: 1 });
    const high = await accepted({ priority: 9 });
    expect((await takeOne(b)).lease.id).toBe(high);
    expect((await takeOne(b)).lease.id).toBe(low);
  });

  it('publishes when something is due: after a delay, and after a failure', async () => {
    const { id } = await a.accept(newInvocation({ delayMs: 5000 }));
    expect((await b.take(LANE, 1, 1000)).nextDueAt).toBe((await a.get(id))?.dueAt);
    expect(broker.published).toEqual([]);
    pass(5001);
    await until(() => broker.published.length === 1);
    const { lease } = await takeOne(b);
    await b.settle(lease, retry(0));
    expect(tickets[1].held.size).toBe(0);
    await until(() => broker.published.length === 2);
    expect((await takeOne(a)).lease.attempt).toBe(2);
  });

  it('loses nothing that is accepted while the broker is away, and hands it out when it is back', async () => {
    broker.away = true;
    const ids = [(await a.accept(newInvocation())).id, (await a.accept(newInvocation())).id, (await b.accept(newInvocation())).id];
    expect((await b.take(LANE, 3, 1000)).taken).toEqual([]);
    broker.away = false;
    await until(() => broker.waiting >= 3);
    const { taken } = await b.take(LANE, 9, 60_000);
    expect(taken.map(({ lease }) => lease.id).sort()).toEqual(ids.toSorted());
  });

  it('ends what ran under a ticket that the broker took away, and refuses its result', async () => {
    const id = await accepted();
    const voided: Lease[] = [];
    b.onVoided((leases) => void voided.push(...leases));
    const { lease } = await takeOne(b);
    tickets[1].cut();
    expect(await b.settle(lease, succeeded('late'))).toBe(false);
    await until(() => voided.length > 0);
    const again = await takeOne(a);
    expect(again.lease).toEqual({ id, attempt: 2 });
    expect(await a.settle(again.lease, succeeded())).toBe(true);
    expect((await a.get(id))?.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'succeeded']);
  });

  it('voids the lease of a ticket that comes again, however long it had', async () => {
    const id = await accepted();
    const { lease } = await takeOne(b, 3600_000);
    tickets[1].cut(true);
    expect((await takeOne(a)).lease).toEqual({ id, attempt: 2 });
    expect(await b.settle(lease, succeeded())).toBe(false);
  });

  it('acknowledges tickets for which there is nothing: too many of them, or of what was cancelled', async () => {
    await b.cancel(await accepted());
    expect((await b.take(LANE, 5, 1000)).taken).toEqual([]);
    const id = await accepted();
    broker.add([{ lane: LANE, id: 'again', expiresInMs: null }]);
    const { taken } = await b.take(LANE, 5, 60_000);
    expect(taken.map(({ lease }) => lease.id)).toEqual([id]);
    expect([broker.waiting, tickets[1].held.size]).toEqual([0, 1]);
  });

  it('publishes anew those that have gone missing', async () => {
    const id = await accepted();
    broker.drop();
    tickets[0].gone(LANE);
    await until(() => broker.waiting > 0);
    broker.drop();
    // Nobody tells: whoever looks for work finds it without a ticket.
    await until(async () => {
      pass(1000);
      return (await b.take(LANE, 1, 60_000)).taken[0]?.lease.id === id;
    });
  });

  it('gives up what has grown too old when its ticket has expired, and what its ticket came back with too often', async () => {
    const old = await accepted({ maxAgeMs: 1000 });
    const young = await accepted({ maxAgeMs: 3600_000 });
    pass(2500);
    await broker.die('expired');
    expect(await a.get(old)).toMatchObject({ state: 'failed', deadReason: 'too_old', errorCode: 'deadline_exceeded', attempts: [] });
    expect((await a.get(old))?.errorMessage).toMatch(/^It was due [23] s ago, and its function's retry\.max_age_s is 1\.$/);
    const { lease } = await takeOne(b);
    expect(lease.id).toBe(young);
    tickets[1].cut(true);
    await broker.die('delivery_limit');
    expect(await a.get(young)).toMatchObject({ state: 'failed', deadReason: 'lost_too_often', attempts: [{ outcome: 'lost' }] });
    expect(await b.settle(lease, succeeded())).toBe(false);
  });

  it('gives tickets back when nothing can be taken', async () => {
    await accepted();
    await server().kill();
    await expect(b.take(LANE, 1, 1000)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect([broker.waiting, tickets[1].held.size]).toEqual([1, 0]);
    await server().restart();
    await until(() =>
      b.take(LANE, 1, 60_000).then(
        ({ taken }) => taken.length === 1,
        () => false,
      ),
    );
  });
}
