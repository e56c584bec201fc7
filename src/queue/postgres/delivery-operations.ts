import type { Destination } from '../../schemas/destination.ts';
import type { DeliveryKind, DeliveryStatus, DurableQueue } from '../durable-queue.ts';
import type { Row } from '../job-rows.ts';
import type { Session } from './session.ts';

type DeliveryOperations = Pick<DurableQueue, 'dueDeliveries' | 'settleDelivery'>;

/** Of what a receiver's or the network's fault is put down as. */
const MAX_ERROR_CHARS = 500;
const MAX_ROWS = 100;
/** Whoever takes a delivery has it for so long; more than any delivery takes. Then it is due again, as its node may be gone. */
const LEASE_MS = 45_000;

const TAKE = `
  WITH due AS MATERIALIZED (
    SELECT seq, kind, due_at FROM queue_deliveries WHERE state = 'pending' AND due_at <= $1::float8 ORDER BY due_at, seq LIMIT $2 FOR UPDATE SKIP LOCKED),
  taken AS (
    UPDATE queue_deliveries d SET due_at = $1::float8 + ${LEASE_MS} FROM due WHERE d.seq = due.seq AND d.kind = due.kind
    RETURNING d.seq, d.kind, d.round, d.target, d.attempts, due.due_at)
  SELECT j.id, t.kind, t.round, t.target, t.attempts FROM taken t JOIN queue_jobs j ON j.seq = t.seq ORDER BY t.due_at, t.seq`;

export async function deliveriesOf(db: Session['db'], seq: number): Promise<DeliveryStatus[]> {
  const { rows } = await db.query<Row>('SELECT kind, target, state, attempts, error, due_at FROM queue_deliveries WHERE seq = $1 ORDER BY kind', [
    seq,
  ]);
  return rows.map((row) => ({
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
    async dueDeliveries(limit) {
      const { rows } = await db.query<Row>(TAKE, [now(), Math.min(limit, MAX_ROWS)]);
      const { rows: next } = await db.query<Row>("SELECT due_at FROM queue_deliveries WHERE state = 'pending' ORDER BY due_at LIMIT 1", []);
      return {
        due: rows.map((row) => ({
          id: row.id as string,
          kind: row.kind as DeliveryKind,
          round: row.round as number,
          target: JSON.parse(row.target as string) as Destination,
          attempts: row.attempts as number,
        })),
        nextDueAt: (next[0]?.due_at as number | undefined) ?? null,
      };
    },

    async settleDelivery({ id, kind, round }, outcome) {
      const again = outcome.kind === 'failed' && outcome.retryInMs !== null;
      const state = outcome.kind === 'delivered' ? 'delivered' : again ? 'pending' : 'failed';
      await db.query(
        'UPDATE queue_deliveries SET state = $1, due_at = $2::float8, attempts = attempts + 1, error = $3 ' +
          "WHERE seq = (SELECT seq FROM queue_jobs WHERE id = $4) AND kind = $5 AND round = $6 AND state = 'pending'",
        [
          state,
          again ? now() + (outcome.retryInMs ?? 0) : null,
          outcome.kind === 'failed' ? outcome.error.slice(0, MAX_ERROR_CHARS).toWellFormed() : null,
          id,
          kind,
          round,
        ],
      );
    },
  };
}
