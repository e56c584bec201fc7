import { setTimeout as sleep } from 'node:timers/promises';
import { HearthError } from '../errors.ts';
import type { PostgresDatabase } from '../postgres/postgres.ts';
import type { Logger } from '../telemetry/log.ts';

/** What is started together comes up in any order. Milliseconds. */
const WAIT_MS = 60_000;
const RETRY_MS = 1000;
/** Between two lines in the log. */
const SAY_MS = 10_000;

/** Resolves once the database answers. @throws HearthError store_unavailable when it doesn't within a minute; others at once */
export async function reachDatabase(db: PostgresDatabase, log: Pick<Logger, 'warn' | 'info'>, waitMs = WAIT_MS): Promise<void> {
  const startedAt = performance.now();
  let saidAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    try {
      await db.query('SELECT 1');
      if (saidAt > 0) log.info({ database: db.shown }, 'the database answers');
      return;
    } catch (error) {
      const now = performance.now();
      if (!(error instanceof HearthError) || error.code !== 'store_unavailable' || now - startedAt > waitMs) throw error;
      if (now - saidAt > SAY_MS) {
        log.warn(
          { database: db.shown, reason: error.message, giveUpMs: Math.round(waitMs - (now - startedAt)) },
          'the database does not answer yet; it is waited for',
        );
        saidAt = now;
      }
      await sleep(RETRY_MS);
    }
  }
}
