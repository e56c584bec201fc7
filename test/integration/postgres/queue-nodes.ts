import { afterEach, beforeEach, expect, it } from 'vitest';
import type { DurableQueue, Lease } from '../../../src/queue/durable-queue.ts';
import { until } from '../../support/hearth.ts';
import type { Postgres } from '../../support/postgres.ts';
import { LANE, newInvocation, retry, succeeded, takeOne } from '../../unit/queue/test-queue.ts';
import { PostgresPlace } from './queue-place.ts';

/** What several nodes over one queue see of one another, without tickets. */
export function queueOfSeveralNodes(server: () => Postgres): void {
  let place: PostgresPlace;
  let a: Awaited<ReturnType<PostgresPlace['open']>>;
  let b: typeof a;
  const told = { changed: new Set<string | null>(), work: new Map<string, number>(), voided: [] as Lease[] };

  beforeEach(async () => {
    place = await PostgresPlace.make(server().url);
    a = await place.open({ node: 'node-a' });
    b = await place.open({ node: 'node-b' });
    told.changed.clear();
    told.work.clear();
    told.voided = [];
  });
  afterEach(() => place[Symbol.asyncDispose]());

  function listen(queue: DurableQueue): void {
    queue.onChanged((ids) => {
      for (const id of ids ?? [null]) told.changed.add(id);
    });
    queue.onWork((lane, dueAt) => told.work.set(lane.functionName, dueAt));
    queue.onVoided((leases) => void told.voided.push(...leases));
  }

  it('gives each invocation to one of them', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, index) => [a, b][index % 2]?.queue.accept(newInvocation())));
    const taken: string[] = [];
    await Promise.all(
      [a, b, a, b].map(async ({ queue }) => {
        for (;;) {
          const page = await queue.take(LANE, 4, 60_000);
          if (page.taken.length === 0) return;
          taken.push(...page.taken.map(({ lease }) => lease.id));
        }
      }),
    );
    expect([taken.length, new Set(taken).size]).toEqual([40, 40]);
  });

  it('tells the others where work is and what has become of it', async () => {
    listen(b.queue);
    const { id } = await a.queue.accept(newInvocation());
    await until(() => told.work.has('echo'));
    const { lease } = await takeOne(a.queue);
    await a.queue.settle(lease, succeeded());
    await until(() => told.changed.has(id));
    await a.queue.accept(newInvocation({ functionName: 'later', delayMs: 3600_000 }));
    await until(() => told.work.has('later'));
    expect(told.work.get('later')).toBeGreaterThan(b.queue.now() + 3000_000);
  });

  it('tells whoever runs it that another node has cancelled it', async () => {
    listen(a.queue);
    const { id } = await a.queue.accept(newInvocation());
    const { lease } = await takeOne(a.queue);
    expect(await b.queue.cancel(id)).toEqual({ cancelled: true, state: 'cancelled', lease });
    await until(() => told.voided.length > 0);
    expect(told.voided).toEqual([lease]);
    expect(await a.queue.settle(lease, succeeded())).toBe(false);
  });

  it('goes on, with a look each second, when nothing is heard from the others', async () => {
    listen(b.queue);
    const db = place.connect();
    await until(async () => {
      await db.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR query = 'SELECT 1'", []);
      return told.changed.has(null);
    });
    const { id } = await a.queue.accept(newInvocation());
    const { lease } = await takeOne(a.queue);
    await a.queue.settle(lease, succeeded());
    told.changed.clear();
    // Heard again, or looked at again.
    await until(() => told.changed.has(id) || told.changed.has(null));
    await a.queue.accept(newInvocation({ functionName: 'more' }));
    await until(() => told.work.has('more'));
    await db.close();
  });

  it('runs elsewhere what a node held that is gone, and refuses what that one settles later', async () => {
    listen(a.queue);
    const { id } = await a.queue.accept(newInvocation());
    const { lease } = await takeOne(a.queue, 5000);
    b.pass(6000);
    await until(async () => (await b.queue.get(id))?.state === 'queued');
    const again = await takeOne(b.queue);
    expect(again.lease).toEqual({ id, attempt: 2 });
    expect(await a.queue.settle(lease, succeeded('late'))).toBe(false);
    expect(await b.queue.settle(again.lease, succeeded('fresh'))).toBe(true);
    // What was told may have been lost: whoever prolongs a lease that is void learns it then.
    await until(() => told.voided.length > 0);
    told.voided = [];
    await a.queue.heartbeat([lease]);
    expect(told.voided).toEqual([lease]);
  });

  it('hands a delivery to one node, and to another when that one does not settle it', async () => {
    await a.queue.accept(newInvocation({ callbackUrl: 'http://a.example/', destinations: null }));
    await a.queue.settle((await takeOne(a.queue)).lease, succeeded());
    const [one, two] = await Promise.all([a.queue.dueDeliveries(10), b.queue.dueDeliveries(10)]);
    expect(one.due.length + two.due.length).toBe(1);
    b.pass(50_000);
    const { due } = await b.queue.dueDeliveries(10);
    expect(due).toMatchObject([{ kind: 'callback', round: 1, attempts: 0 }]);
    await b.queue.settleDelivery(due[0] as (typeof due)[0], { kind: 'delivered' });
    expect((await a.queue.get(due[0]?.id as string))?.deliveries).toMatchObject([{ state: 'delivered', attempts: 1 }]);
  });

  it('writes those that come together in few commits, and one that is refused fails no other', async () => {
    const invocations = Array.from({ length: 300 }, () => newInvocation({}, 'x\0y'));
    const twin = newInvocation({ id: invocations[7]?.id as string });
    const outcomes = await Promise.allSettled([...invocations.slice(0, 20), twin, ...invocations.slice(20)].map((one) => a.queue.accept(one)));
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    await Promise.all(Array.from({ length: 300 }, () => a.queue.accept(newInvocation({ functionName: 'other' }))));
    const db = place.connect();
    const { rows } = await db.query<{ commits: number }>(
      "SELECT count(DISTINCT xmin::text)::integer AS commits FROM queue_jobs WHERE function_name = 'other'",
      [],
    );
    expect(rows[0]?.commits).toBeLessThan(20);
    await db.close();
  });

  it('keeps any text that a function may print or be called with', async () => {
    const payload = { ...newInvocation().payload, path: '/a\0b', rawPath: '/a%00b', params: { id: '\0\ud800' }, requestId: 'é😀' };
    const { id } = await a.queue.accept(newInvocation({ payload }));
    // Clocks of two nodes are some milliseconds apart.
    b.pass(200);
    const { lease, payload: got } = await takeOne(b.queue);
    expect(got).toMatchObject({ path: '/a\0b', params: { id: '\0\ud800' }, requestId: 'é😀' });
    const failed = retry(0);
    await b.queue.settle(lease, {
      ...failed,
      attempt: { ...(failed.attempt as NonNullable<typeof failed.attempt>), logs: 'printed \0 \u{10FFFE} \udc00 "\\' },
    });
    expect((await a.queue.get(id))?.attempts[0]?.logs).toBe('printed \0 \u{10FFFE} \ufffd "\\');
  });

  it('refuses while the database is away, keeps what it held, and goes on by itself', { timeout: 120_000 }, async () => {
    const patient = await place.open({ node: 'node-c', graceMs: 60_000 });
    const { id } = await patient.queue.accept(newInvocation());
    const { lease } = await takeOne(patient.queue);
    await server().kill();
    await expect(patient.queue.accept(newInvocation())).rejects.toMatchObject({ code: 'store_unavailable', retryAfter: expect.any(Number) });
    await expect(patient.queue.settle(lease, succeeded())).rejects.toMatchObject({ code: 'store_unavailable' });
    await server().restart();
    await until(() =>
      patient.queue.heartbeat([lease]).then(
        () => true,
        () => false,
      ),
    );
    expect(await patient.queue.settle(lease, succeeded())).toBe(true);
    expect((await patient.queue.get(id))?.state).toBe('succeeded');
    listen(b.queue);
    const next = await patient.queue.accept(newInvocation());
    await until(() => told.work.has('echo'));
    b.pass(200);
    expect((await takeOne(b.queue)).lease.id).toBe(next.id);
  });
}
