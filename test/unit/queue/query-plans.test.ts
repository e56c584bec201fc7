import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { acceptOperations } from '../../../src/queue/sqlite/accept-operations.ts';
import { backlogOperation } from '../../../src/queue/sqlite/backlog-operation.ts';
import { deliveryOperations } from '../../../src/queue/sqlite/delivery-operations.ts';
import { LeaseBook } from '../../../src/queue/sqlite/lease-book.ts';
import { leaseOperations } from '../../../src/queue/sqlite/lease-operations.ts';
import type { QueueDatabase } from '../../../src/queue/sqlite/open-database.ts';
import { QUEUE_MIGRATIONS } from '../../../src/queue/sqlite/queue-schema.ts';
import { recordOperations } from '../../../src/queue/sqlite/record-operations.ts';
import { died, LANE, newInvocation, retry, succeeded } from './test-queue.ts';

/** Every statement that the operations run, with a plan that must not grow with the number of rows. */
describe('the statements of the queue', () => {
  it('find their rows by an index, and sort nothing', () => {
    const db = new DatabaseSync(':memory:');
    for (const { sql } of QUEUE_MIGRATIONS) db.exec(sql);
    const seen = new Set<string>();
    const database: QueueDatabase = {
      statement(sql) {
        seen.add(sql);
        return db.prepare(sql);
      },
      transaction: (_acknowledged, _now, work) => work(),
      committedAt: 0,
      snapshot: async () => undefined,
      close: () => db.close(),
    };
    const leases = new LeaseBook(() => 0);
    const session = { db: database, leases, now: () => 1000, afterCommit: (effect: () => void) => effect() };
    const queue = {
      ...acceptOperations(session),
      ...leaseOperations(session),
      ...recordOperations(session),
      ...deliveryOperations(session),
      ...backlogOperation(session),
    };

    // Each operation once, each branch of it.
    for (let index = 0; index < 6; index++) {
      queue.accept(newInvocation({ callbackUrl: 'http://a.example/', idempotency: { key: `${index}`, fingerprint: 'f', keepMs: 10 } }));
    }
    queue.accept(newInvocation({ idempotency: { key: '1', fingerprint: 'f', keepMs: 10 } }));
    queue.lanes();
    const { taken } = queue.take(LANE, 9, 1000);
    const [a, b, c, d] = taken as [(typeof taken)[0], (typeof taken)[0], (typeof taken)[0], (typeof taken)[0]];
    queue.settle(a.lease, succeeded());
    queue.settle(b.lease, { ...(died() as object), forgetKey: true } as never);
    queue.settle(c.lease, retry(10));
    queue.cancel(d.lease.id);
    queue.voidLeases(queue.runningLeases(), 'test');
    queue.replay(a.lease.id, 'replayed');
    queue.input(a.lease.id);
    queue.get(a.lease.id);
    for (const filter of [
      {},
      { functionName: 'echo' },
      { state: 'queued' as const },
      { functionName: 'echo', state: 'queued' as const, before: 1 },
    ]) {
      queue.list({ limit: 10, ...filter });
    }
    queue.deadLetters({ limit: 10 });
    queue.deadLetters({ limit: 10, functionName: 'echo', before: 5000 });
    queue.dueDeliveries(10);
    queue.settleDelivery({ id: a.lease.id, kind: 'callback', round: 1 }, { kind: 'failed', error: 'x', retryInMs: 10 });
    queue.redrive(b.lease.id);
    queue.redriveMany({ limit: 10 });
    queue.discard('none');
    queue.backlog();
    queue.prune(0, 0);
    queue.prune(5000, 5000);

    expect(seen.size).toBeGreaterThan(30);
    for (const sql of seen) {
      if (sql.startsWith('INSERT')) continue;
      const parameters = Array.from({ length: sql.split('?').length - 1 }, () => null);
      const plan = db
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all(...parameters)
        .map((row) => String(row.detail));
      for (const step of plan) {
        expect(step, sql).not.toMatch(/USE TEMP B-TREE/);
        // A scan is one of an index from its beginning to a LIMIT, of what such a one has found, or the only row of a table.
        if (step.startsWith('SCAN')) expect(step, sql).toMatch(/USING (COVERING )?INDEX|SCAN \(subquery|SCAN CONSTANT ROW|SCAN progress/);
      }
      if (plan.some((step) => step.startsWith('SCAN'))) expect(sql).toMatch(/LIMIT/);
    }
  });

  it('have no OFFSET, which reads what it leaves out', async () => {
    const { readdir, readFile } = await import('node:fs/promises');
    const folder = new URL('../../../src/queue/sqlite/', import.meta.url);
    for (const file of await readdir(folder)) expect(await readFile(new URL(file, folder), 'utf8'), file).not.toMatch(/\bOFFSET\b/);
  });
});
