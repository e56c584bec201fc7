import type { DurableQueue } from '../durable-queue.ts';
import type { Session } from './session.ts';

/** Rows that are counted: some milliseconds' worth, however many there are. */
const MOST_QUEUED = 100_000;
const MOST_OTHERS = 10_000;

const count = (from: string) => `(SELECT count(*)::integer FROM (SELECT FROM ${from} LIMIT ${MOST_OTHERS}) AS counted)`;
/** Each is read from an index, from its beginning. */
const BACKLOG = `
  SELECT q.*, ${count("queue_jobs WHERE state = 'running'")} AS running, ${count('queue_jobs WHERE dead_reason IS NOT NULL')} AS "deadLetters",
    ${count("queue_deliveries WHERE state = 'pending'")} AS deliveries
  FROM (SELECT count(*)::integer AS queued, (count(*) FILTER (WHERE due_at <= $1::float8))::integer AS due, min(due_at) AS "oldestDueAt"
    FROM (SELECT due_at FROM queue_jobs WHERE state = 'queued' LIMIT ${MOST_QUEUED}) AS counted) AS q`;

export function backlogOperation({ db, now }: Session): Pick<DurableQueue, 'backlog'> {
  return {
    async backlog() {
      const { rows } = await db.query<Awaited<ReturnType<DurableQueue['backlog']>>>(BACKLOG, [now()]);
      return rows[0] as (typeof rows)[0];
    },
  };
}
