import type { Destination, Destinations } from '../../schemas/destination.ts';
import type { InvocationState } from '../../schemas/records.ts';
import type { DeadReason, DeliveryKind, DeliveryStatus } from '../durable-queue.ts';
import type { Row } from '../job-rows.ts';
import type { BlockingQueue } from './messages.ts';
import type { QueueDatabase } from './open-database.ts';
import type { Session } from './operations.ts';

type DeliveryOperations = Pick<BlockingQueue, 'dueDeliveries' | 'settleDelivery'>;

/** Of what a receiver's or the network's fault is put down as. */
const MAX_ERROR_CHARS = 500;
const MAX_ROWS = 100;

/**
 * Writes down who is to be told of an outcome, in the commit that the outcome is written in.
 * @param row of `jobs`: seq, mode, attempt, callback_url, destinations
 */
export function planDeliveries(db: QueueDatabase, row: Row, state: InvocationState, deadReason: DeadReason | null, now: number): void {
  if (row.callback_url === null && row.destinations === null) return;
  for (const [kind, target] of targets(row, state, deadReason)) {
    db.statement("INSERT INTO deliveries (seq, kind, round, target, state, due_at) VALUES (?, ?, ?, ?, 'pending', ?)").run(
      row.seq as number,
      kind,
      row.attempt as number,
      JSON.stringify(target),
      now,
    );
  }
}

function targets(row: Row, state: InvocationState, deadReason: DeadReason | null): [DeliveryKind, Destination][] {
  const destinations = row.destinations === null ? null : (JSON.parse(row.destinations as string) as Destinations);
  const found: [DeliveryKind, Destination][] = [];
  if (row.callback_url !== null) {
    found.push(['callback', { kind: 'url', url: row.callback_url as string, secret: destinations?.callbackSecret ?? null }]);
  }
  // Of one that somebody waits for, the one who waits is told.
  if (destinations === null || row.mode === 'sync') return found;
  if (state === 'succeeded' && destinations.onSuccess) found.push(['on_success', destinations.onSuccess]);
  if (deadReason !== null && destinations.onFailure) found.push(['on_failure', destinations.onFailure]);
  return found;
}

export function deliveriesOf(db: QueueDatabase, seq: number): DeliveryStatus[] {
  return db
    .statement('SELECT kind, target, state, attempts, error, due_at FROM deliveries WHERE seq = ? ORDER BY kind')
    .all(seq)
    .map((row) => ({
      kind: row.kind as DeliveryKind,
      target: JSON.parse(row.target as string) as Destination,
      state: row.state as DeliveryStatus['state'],
      attempts: row.attempts as number,
      error: row.error as string | null,
      dueAt: row.due_at as number | null,
    }));
}

export function deliveryOperations({ db, now }: Session): DeliveryOperations {
  return {
    dueDeliveries: (limit) => {
      const size = Math.min(limit, MAX_ROWS);
      const rows = db
        .statement(
          'SELECT j.id, d.kind, d.round, d.target, d.attempts, d.due_at FROM deliveries d INDEXED BY deliveries_due JOIN jobs j ON j.seq = d.seq ' +
            "WHERE d.state = 'pending' ORDER BY d.due_at, d.seq LIMIT ?",
        )
        .all(size + 1);
      const due = rows.filter((row) => (row.due_at as number) <= now()).slice(0, size);
      return {
        due: due.map((row) => ({
          id: row.id as string,
          kind: row.kind as DeliveryKind,
          round: row.round as number,
          target: JSON.parse(row.target as string) as Destination,
          attempts: row.attempts as number,
        })),
        nextDueAt: (rows[due.length]?.due_at as number | undefined) ?? null,
      };
    },

    settleDelivery: ({ id, kind, round }, outcome) => {
      const again = outcome.kind === 'failed' && outcome.retryInMs !== null;
      const state = outcome.kind === 'delivered' ? 'delivered' : again ? 'pending' : 'failed';
      db.statement(
        'UPDATE deliveries SET state = ?, due_at = ?, attempts = attempts + 1, error = ? ' +
          "WHERE seq = (SELECT seq FROM jobs WHERE id = ?) AND kind = ? AND round = ? AND state = 'pending'",
      ).run(
        state,
        again ? now() + (outcome.retryInMs ?? 0) : null,
        outcome.kind === 'failed' ? outcome.error.slice(0, MAX_ERROR_CHARS) : null,
        id,
        kind,
        round,
      );
    },
  };
}
