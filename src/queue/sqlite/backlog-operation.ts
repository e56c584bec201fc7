import type { BlockingQueue } from './messages.ts';
import type { Session } from './operations.ts';

/** Rows that are counted: some milliseconds' worth, however many there are. Of those whose index doesn't hold all that is asked for, fewer. */
const MOST_QUEUED = 100_000;
const MOST_OTHERS = 10_000;

/** Each is read from an index, from its beginning. */
export function backlogOperation({ db, now }: Session): Pick<BlockingQueue, 'backlog'> {
  const count = (from: string): number => db.statement(`SELECT count(*) AS n FROM (SELECT 1 FROM ${from} LIMIT ${MOST_OTHERS})`).get()?.n as number;
  return {
    backlog: () => {
      const queued = db
        .statement(
          'SELECT count(*) AS n, sum(due_at <= ?) AS due, min(due_at) AS oldest FROM ' +
            `(SELECT due_at FROM jobs INDEXED BY jobs_to_take WHERE state = 'queued' LIMIT ${MOST_QUEUED})`,
        )
        .get(now());
      return {
        queued: queued?.n as number,
        due: (queued?.due as number | null) ?? 0,
        oldestDueAt: (queued?.oldest as number | null) ?? null,
        running: count("jobs WHERE state = 'running'"),
        deadLetters: count('jobs INDEXED BY jobs_dead WHERE dead_reason IS NOT NULL'),
        deliveries: count("deliveries INDEXED BY deliveries_due WHERE state = 'pending'"),
      };
    },
  };
}
