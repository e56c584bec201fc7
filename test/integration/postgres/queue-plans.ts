import { expect, it } from 'vitest';
import type { PostgresDatabase, Queryable } from '../../../src/postgres/postgres.ts';
import { until } from '../../support/hearth.ts';
import type { Postgres } from '../../support/postgres.ts';
import { died, LANE, newInvocation, retry, succeeded } from '../../unit/queue/test-queue.ts';
import { PostgresPlace } from './queue-place.ts';
import { TestBroker } from './test-broker.ts';

/** As a queue looks that has been busy: some lanes, some that wait, many that are over. */
const FILL = `
  INSERT INTO hearth.queue_jobs (id, function_name, version_number, mode, trigger_kind, state, verb, path, priority, accepted_at, age_from, due_at, attempt,
    ended_at, dead_reason, lease_until, ticket, ticket_due_at, ticketed_at, max_age_ms)
  SELECT 'filled-' || n, 'f' || n % 20, 1, 'async', 'gateway', s.state, 'POST', '/', n % 10, 1e12 + n, 1e12, 1e12 + n, 1,
    CASE WHEN s.state IN ('succeeded', 'failed') THEN 1e12 + n END, CASE WHEN s.state = 'failed' THEN 'attempts_exhausted' END,
    CASE WHEN s.state = 'running' THEN 4e12 END, CASE WHEN s.state = 'running' THEN 't' || n END, CASE WHEN s.state = 'queued' THEN 4e12 + n END, NULL, 60000
  FROM generate_series(1, 20000) AS n CROSS JOIN LATERAL (
    SELECT CASE WHEN n % 100 = 0 THEN 'running' WHEN n % 50 = 1 THEN 'failed' WHEN n % 10 = 0 THEN 'queued' ELSE 'succeeded' END AS state) s;
  INSERT INTO hearth.queue_deliveries (seq, kind, round, target, state, due_at) SELECT seq, 'callback', 1, '{"kind":"url","url":"x","secret":null}',
    CASE WHEN state = 'failed' THEN 'pending' ELSE 'delivered' END, 1e12 + seq FROM hearth.queue_jobs WHERE ended_at IS NOT NULL;
  INSERT INTO hearth.queue_inputs SELECT seq, '["/","",{},[]]' FROM hearth.queue_jobs;
  INSERT INTO hearth.queue_attempts (seq, number, outcome, started_at, ended_at, queue_ms, start_ms, run_ms)
    SELECT seq, 1, 'succeeded', 1e12, 1e12, 1, 1, 1 FROM hearth.queue_jobs WHERE ended_at IS NOT NULL;
  INSERT INTO hearth.queue_results SELECT seq, 200, '[]', 0 FROM hearth.queue_jobs WHERE ended_at IS NOT NULL;
  INSERT INTO hearth.queue_keys SELECT function_name, id, 'f', id, 4e12 FROM hearth.queue_jobs;
  ANALYZE hearth.queue_jobs, hearth.queue_deliveries, hearth.queue_inputs, hearth.queue_attempts, hearth.queue_results, hearth.queue_keys`;

/** Plans must not grow with the number of rows. */
export function queuePlans(server: () => Postgres): void {
  it('find their rows by an index', async () => {
    await using place = await PostgresPlace.make(server().url);
    const seen = new Map<string, readonly unknown[]>();
    const real = place.connect();
    const watched = (target: Queryable): Queryable => ({
      query(sql, values) {
        if (sql.includes('queue_') && values && !sql.includes('pg_notify')) seen.set(sql, values);
        return target.query(sql, values);
      },
    });
    const db: PostgresDatabase = { ...real, ...watched(real), transaction: (work) => real.transaction((tx) => work(watched(tx))) };
    const broker = new TestBroker();
    const tickets = broker.connect();
    const { queue } = await place.open({ db, tickets });
    await real.query(FILL);

    // Each operation once, each branch of it.
    const keyed = (key: string) => newInvocation({ callbackUrl: 'http://a.example/', idempotency: { key, fingerprint: 'f', keepMs: 10 } });
    const accepted = await Promise.all(['a', 'b', 'c', 'd', 'a'].map((key) => queue.accept(keyed(key))));
    await queue.accept(newInvocation());
    for (let index = 0; index < 4; index++) broker.add([{ lane: LANE, id: `more-${index}`, expiresInMs: null }], index === 0);
    await queue.lanes();
    const { taken } = await queue.take(LANE, 9, 1000);
    const leases = taken.map(({ lease }) => lease);
    await queue.heartbeat(leases);
    await Promise.all([
      queue.settle(leases[0] as never, succeeded()),
      queue.settle(leases[1] as never, died()),
      queue.settle(leases[2] as never, retry(10)),
    ]);
    await queue.cancel(leases[3]?.id as string);
    await queue.take({ functionName: 'none', versionNumber: 1 }, 1, 1000);
    await tickets.dead('t100', LANE, 'delivery_limit');
    await tickets.dead('x', LANE, 'expired');
    await queue.replay(accepted[0]?.id as string, 'replayed');
    await queue.get(leases[0]?.id as string);
    for (const filter of [{}, { functionName: 'f1' }, { state: 'queued' as const }, { functionName: 'f1', state: 'queued' as const, before: 2e12 }]) {
      await queue.list({ limit: 10, ...filter });
      await queue.deadLetters({ limit: 10, ...filter });
      await queue.redriveMany({ limit: 1, ...filter });
    }
    await queue.dueDeliveries(10);
    await queue.settleDelivery({ id: leases[0]?.id as string, kind: 'callback', round: 1 }, { kind: 'failed', error: 'x', retryInMs: 10 });
    await queue.redrive(leases[1]?.id as string);
    await queue.discard('none');
    await queue.backlog();
    await queue.prune(1, 1);
    // What is done each second.
    await until(() => [...seen.keys()].some((sql) => sql.includes('lease_until <=')) && [...seen.keys()].some((sql) => sql.includes('RECURSIVE')));

    expect(seen.size).toBeGreaterThan(28);
    const found: string[] = [];
    for (const [sql, values] of seen) {
      const { rows } = await real.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`, values);
      for (const { 'QUERY PLAN': step } of rows) if (/Seq Scan on queue_/.test(step)) found.push(`${step.trim()}: ${sql}`);
    }
    expect(found).toEqual([]);
  });
}
