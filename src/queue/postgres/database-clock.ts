import type { PostgresDatabase } from '../../postgres/postgres.ts';

const RENEW_MS = 60_000;
/** Of which the one counts that took least. */
const MEASUREMENTS = 3;

/**
 * The database's clock, by which all nodes go, read here without asking it: what it is ahead of this process's monotonic clock is measured at the start and each
 * minute. It is off by no more than half of the way to the database and back.
 */
export class DatabaseClock {
  readonly #db: PostgresDatabase;
  readonly #tick: () => number;
  #ahead = 0;
  #measuredAt = Number.NEGATIVE_INFINITY;

  private constructor(db: PostgresDatabase, tick: () => number) {
    this.#db = db;
    this.#tick = tick;
  }

  /**
   * @param tick monotonic, milliseconds
   * @throws HearthError store_unavailable
   */
  static async open(db: PostgresDatabase, tick: () => number): Promise<DatabaseClock> {
    const clock = new DatabaseClock(db, tick);
    await clock.renew();
    return clock;
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return Math.floor(this.#ahead + this.#tick());
  }

  /** Measures when a minute has passed since the last time. @throws HearthError store_unavailable */
  async renew(): Promise<void> {
    if (performance.now() - this.#measuredAt < RENEW_MS) return;
    let shortestMs = Number.POSITIVE_INFINITY;
    let ahead = this.#ahead;
    for (let time = 0; time < MEASUREMENTS; time++) {
      const asked = performance.now();
      const { rows } = await this.#db.query<{ now: number }>('SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now', []);
      const wayMs = performance.now() - asked;
      if (wayMs >= shortestMs) continue;
      shortestMs = wayMs;
      ahead = (rows[0]?.now ?? 0) + wayMs / 2 - this.#tick();
    }
    this.#ahead = ahead;
    this.#measuredAt = performance.now();
  }
}
