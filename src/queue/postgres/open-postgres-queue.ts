import { HearthError } from '../../errors.ts';
import { migratePostgres } from '../../postgres/migrate-postgres.ts';
import type { PostgresDatabase } from '../../postgres/postgres.ts';
import type { DurableQueue, LaneKey } from '../durable-queue.ts';
import type { Tickets } from '../tickets/tickets.ts';
import { acceptOperations } from './accept-operations.ts';
import { backlogOperation } from './backlog-operation.ts';
import { DatabaseClock } from './database-clock.ts';
import { deliveryOperations } from './delivery-operations.ts';
import { HeldTickets } from './held-tickets.ts';
import { Lookout } from './lookout.ts';
import { Outbox } from './outbox.ts';
import { QueueFeed } from './queue-feed.ts';
import { QUEUE_MIGRATIONS } from './queue-schema.ts';
import { recordOperations } from './record-operations.ts';
import type { Session } from './session.ts';
import { settleOperations } from './settle-operations.ts';
import { takeOperations } from './take-operations.ts';
import { Voiding } from './voiding.ts';

export interface PostgresQueueOptions {
  /** Its owner closes it, after the queue. */
  db: PostgresDatabase;
  /** This node's id: no other process that lives has it. */
  node: string;
  /** What hands out work among nodes; started and closed by the queue. Null: each node takes what it finds. */
  tickets: Tickets | null;
  log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
  /** Monotonic, milliseconds. */
  tick?: () => number;
  timing?: QueueTiming;
}

/** Milliseconds. */
export interface QueueTiming {
  /** Between two looks at what nobody told of. */
  lookMs: number;
  /** Without a heartbeat no lease is longer: so long is a node that is gone not known to be, where no broker tells. More than three heartbeats of the dispatcher. */
  maxLeaseMs: number;
  /** After an outage other nodes have so long to prolong their leases before this one voids any. */
  graceMs: number;
}

const TIMING: QueueTiming = { lookMs: 1000, maxLeaseMs: 8_000, graceMs: 5000 };
/** Whatever a node that was killed told nobody. */
const DOUBT_MS = 5000;

/**
 * The queue in PostgreSQL, shared by all nodes of one database. What is acknowledged is committed there; see docs/adr/0032.
 * @throws HearthError store_unavailable, saying what and what to do
 */
export async function openPostgresQueue({
  db,
  node,
  tickets,
  log,
  tick = () => performance.now(),
  timing = TIMING,
}: PostgresQueueOptions): Promise<DurableQueue> {
  await migratePostgres(db, 'queue', QUEUE_MIGRATIONS);
  const clock = await DatabaseClock.open(db, tick);
  const session: Session = { db, node, now: () => clock.now() };
  let onChanged: (ids: readonly string[] | null) => void = () => undefined;
  let onWork: (lane: LaneKey, dueAt: number) => void = () => undefined;
  let closing: Promise<void> | undefined;

  const held = new HeldTickets();
  const feed = new QueueFeed(db, node, {
    changed: (ids) => onChanged(ids),
    voided: (leases) => voiding.elsewhere(leases),
    work: (lane, dueAt) => onWork(lane, dueAt),
  });
  const voiding = new Voiding(session, held, feed);
  const outbox = new Outbox({
    db,
    tickets,
    now: session.now,
    onWork(lane, dueAt) {
      feed.work(lane, dueAt);
      // Without tickets whoever queued it takes care of this node.
      if (tickets) onWork({ functionName: lane.functionName, versionNumber: lane.versionNumber }, dueAt);
    },
    log,
  });
  const takes = takeOperations(session, tickets, held, feed, voiding);

  let reachableSince = tick();
  let doubtedAt = tick();
  const lookout = new Lookout(
    [
      {
        name: 'end leases that ran out',
        async run() {
          try {
            await clock.renew();
            if (tick() - reachableSince >= timing.graceMs) await voiding.expired();
            else await db.query('SELECT 1', []);
          } catch (error) {
            reachableSince = tick();
            throw error;
          }
        },
      },
      { name: 'publish tickets', run: () => outbox.relay() },
      {
        name: 'look for work',
        async run() {
          for (const [lane, dueAt] of await takes.lanesWithWork()) onWork(lane, dueAt);
        },
      },
      {
        name: 'hear of other nodes',
        async run() {
          const heard = feed.hears;
          if (!heard || tick() - doubtedAt >= DOUBT_MS) {
            doubtedAt = tick();
            onChanged(null);
          }
          await feed.connect();
        },
      },
    ],
    timing.lookMs,
    log,
  );

  try {
    await feed.connect();
    const lost = await voiding.ofFormerProcess();
    if (lost > 0) log.warn({ invocations: lost }, 'invocations were running when the platform ended; they are run again');
  } catch (error) {
    await feed.close();
    throw error;
  }
  if (tickets) {
    tickets.onLost((ids) => void voiding.ofLostTickets(ids));
    tickets.onDead((id, lane, reason) => (reason === 'expired' ? voiding.buryTooOld(lane) : voiding.buryOfTicket(id)));
    tickets.onGone((lane) => outbox.gone(lane));
    await tickets.start();
  }
  lookout.start();

  async function close(): Promise<void> {
    await lookout.close();
    await outbox.close();
    await tickets?.close();
    await feed.close();
  }

  const { take, lanes } = takes;
  return {
    shared: true,
    ...acceptOperations(session, outbox),
    ...settleOperations(session, held, outbox, feed, voiding),
    ...recordOperations(session, outbox, feed),
    ...deliveryOperations(session),
    ...backlogOperation(session),
    lanes,
    take: (lane, limit, leaseMs) => take(lane, limit, Math.min(leaseMs, timing.maxLeaseMs)),
    onVoided: (listener) => {
      voiding.listener = listener;
    },
    onChanged: (listener) => {
      onChanged = listener;
    },
    onWork: (listener) => {
      onWork = listener;
    },
    now: session.now,
    snapshot: () =>
      Promise.reject(
        new HearthError(
          'backup_not_here',
          `The queue is in PostgreSQL at ${db.shown}, whose backups are its own: make one with pg_dump, or with what your PostgreSQL has for it.`,
        ),
      ),
    close() {
      closing ??= close();
      return closing;
    },
  };
}
