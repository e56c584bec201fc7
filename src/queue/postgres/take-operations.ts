import type { DurableQueue, LaneKey, Taken } from '../durable-queue.ts';
import { payloadFromRow, type Row } from '../job-rows.ts';
import type { Ticket, Tickets } from '../tickets/tickets.ts';
import type { HeldTickets } from './held-tickets.ts';
import type { QueueFeed } from './queue-feed.ts';
import type { Session } from './session.ts';
import type { Voiding } from './voiding.ts';

type TakeOperations = Pick<DurableQueue, 'lanes' | 'take'> & {
  /** Lanes that have queued invocations, and when the first is due. @throws HearthError store_unavailable */
  lanesWithWork(): Promise<[LaneKey, number][]>;
};

/** A ticket that was published so long ago, and that isn't found, is missing. Milliseconds. */
const MISSING_AFTER_MS = 3000;
/** Who published a ticket may be ahead of this node's clock by as much: each knows the database's clock as well as the way there is short. Milliseconds. */
const AHEAD_MS = 100;

/** The index is entered once for each lane. */
const LANES = `
  WITH RECURSIVE lanes AS (
    (SELECT function_name, version_number FROM queue_jobs WHERE state = 'queued' ORDER BY function_name, version_number LIMIT 1)
    UNION ALL
    SELECT n.function_name, n.version_number FROM lanes l CROSS JOIN LATERAL (
      SELECT function_name, version_number FROM queue_jobs
      WHERE state = 'queued' AND (function_name, version_number) > (l.function_name, l.version_number) ORDER BY function_name, version_number LIMIT 1) n)`;
const LANE_NAMES = `${LANES} SELECT function_name, version_number FROM lanes`;
const firstDue = (lane: string, after: string) => `
  SELECT min(first.due_at) FROM generate_series(0, 9) AS p (priority) CROSS JOIN LATERAL (
    SELECT due_at FROM queue_jobs WHERE state = 'queued' AND (function_name, version_number) = (${lane}) AND priority = p.priority ${after}
    ORDER BY due_at LIMIT 1) first`;
const LANES_WITH_WORK = `${LANES} SELECT function_name, version_number, (${firstDue('lanes.function_name, lanes.version_number', '')}) AS due_at FROM lanes`;
const NEXT_DUE = firstDue('$1::text, $2::integer', 'AND due_at > $3::float8');

/**
 * Level by level of priority, the longest due first, until there are enough: the index holds them in this order, and no more rows are locked than are taken.
 * Values: function, version, now, limit, lease in ms, node, tickets, what counts as due.
 */
const take = (locking: string) => `
  WITH picked AS MATERIALIZED (
    SELECT due.seq, row_number() OVER () AS n FROM generate_series(9, 0, -1) AS p (priority) CROSS JOIN LATERAL (
      SELECT seq FROM queue_jobs
      WHERE state = 'queued' AND function_name = $1 AND version_number = $2 AND priority = p.priority AND due_at <= $8::float8
      ORDER BY due_at, seq LIMIT $4 FOR UPDATE${locking}) due
    LIMIT $4),
  taken AS (
    UPDATE queue_jobs j SET state = 'running', attempt = j.attempt + 1, started_at = $3::float8, node = $6, lease_ms = $5::float8,
      lease_until = $3::float8 + $5::float8, ticket = ($7::text[])[picked.n], ticket_due_at = NULL, ticketed_at = NULL
    FROM picked WHERE j.seq = picked.seq
    RETURNING picked.n, j.seq, j.id, j.mode, j.trigger_kind, j.verb, j.path, j.request_id, j.accepted_at, j.age_from, j.attempt, j.failures,
      j.callback_url IS NOT NULL OR j.destinations IS NOT NULL AS has_deliveries),
  next AS (${firstDue('$1::text, $2::integer', 'AND due_at > $8::float8')} WHERE (SELECT count(*) FROM picked) < $4)
  SELECT t.*, i.head, i.body, next.min AS next_due_at FROM next LEFT JOIN (taken t JOIN queue_inputs i ON i.seq = t.seq) ON true ORDER BY t.n`;
const TAKE = take(' SKIP LOCKED');
/** Waits for whoever is about to take or change them. */
const TAKE_PATIENTLY = take('');

/** Tickets that have gone missing are due again. Values: function, version, now, limit, published before. */
const MISSING = `
  WITH missing AS MATERIALIZED (
    SELECT seq FROM queue_jobs
    WHERE state = 'queued' AND function_name = $1 AND version_number = $2 AND due_at <= $3::float8 AND ticketed_at < $5::float8 LIMIT $4 FOR UPDATE SKIP LOCKED)
  UPDATE queue_jobs j SET ticket_due_at = $3::float8, ticketed_at = NULL FROM missing WHERE j.seq = missing.seq`;

export function takeOperations(
  { db, node, now }: Session,
  tickets: Tickets | null,
  held: HeldTickets,
  feed: QueueFeed,
  voiding: Voiding,
): TakeOperations {
  async function withoutTickets(lane: LaneKey, limit: number): Promise<{ taken: Taken[]; nextDueAt: number | null }> {
    const at = now();
    const { rows } = await db.query<{ min: number | null }>(NEXT_DUE, [lane.functionName, lane.versionNumber, at]);
    await db.query(MISSING, [lane.functionName, lane.versionNumber, at, limit, at - MISSING_AFTER_MS]);
    return { taken: [], nextDueAt: rows[0]?.min ?? null };
  }

  async function run(
    sql: string,
    lane: LaneKey,
    limit: number,
    leaseMs: number,
    under: readonly Ticket[],
  ): Promise<{ taken: Taken[]; nextDueAt: number | null }> {
    const at = now();
    const ids = under.map(({ id }) => id);
    const { rows } = await db.query<Row>(sql, [
      lane.functionName,
      lane.versionNumber,
      at,
      limit,
      leaseMs,
      node,
      ids,
      under.length > 0 ? at + AHEAD_MS : at,
    ]);
    const taken = rows.filter(({ seq }) => seq !== null).map((row) => takenFromRow(lane, row));
    for (const [index, { lease }] of taken.entries()) {
      const ticket = under[index];
      if (ticket) held.hold(lease, ticket);
      feed.changed(lease.id);
    }
    return { taken, nextDueAt: taken.length === limit ? at : ((rows[0]?.next_due_at as number | null | undefined) ?? null) };
  }

  async function underTickets(lane: LaneKey, under: readonly Ticket[], leaseMs: number): Promise<{ taken: Taken[]; nextDueAt: number | null }> {
    let taken: Taken[] = [];
    try {
      await voiding.ofTickets(
        under.filter(({ redelivered }) => redelivered).map(({ id }) => id),
        'whoever ran it lost the connection to the broker',
      );
      const first = await run(TAKE, lane, under.length, leaseMs, under);
      taken = first.taken;
      if (taken.length === under.length) return first;
      // What was passed over because somebody had it locked may still be there, and no other ticket may be.
      const rest = under.slice(taken.length);
      const second = await run(TAKE_PATIENTLY, lane, rest.length, leaseMs, rest);
      taken = [...taken, ...second.taken];
      for (const ticket of under.slice(taken.length)) ticket.acknowledge();
      return { taken, nextDueAt: second.nextDueAt };
    } catch (error) {
      for (const ticket of under.slice(taken.length)) ticket.giveBack();
      if (taken.length === 0) throw error;
      return { taken, nextDueAt: now() };
    }
  }

  return {
    async lanes() {
      const { rows } = await db.query<Row>(LANE_NAMES, []);
      return rows.map(laneFromRow);
    },
    async lanesWithWork() {
      const { rows } = await db.query<Row>(LANES_WITH_WORK, []);
      return rows.flatMap((row): [LaneKey, number][] => (row.due_at === null ? [] : [[laneFromRow(row), row.due_at as number]]));
    },
    async take(lane, limit, leaseMs) {
      if (!tickets) return run(TAKE, lane, limit, leaseMs, []);
      const under = await tickets.pull(lane, limit);
      return under.length === 0 ? withoutTickets(lane, limit) : underTickets(lane, under, leaseMs);
    },
  };
}

function laneFromRow(row: Row): LaneKey {
  return { functionName: row.function_name as string, versionNumber: row.version_number as number };
}

function takenFromRow(lane: LaneKey, row: Row): Taken {
  return {
    functionName: lane.functionName,
    versionNumber: lane.versionNumber,
    lease: { id: row.id as string, attempt: row.attempt as number },
    mode: row.mode as Taken['mode'],
    payload: payloadFromRow(row),
    acceptedAt: row.accepted_at as number,
    ageFrom: row.age_from as number,
    failures: row.failures as number,
    hasDeliveries: row.has_deliveries as boolean,
  };
}
