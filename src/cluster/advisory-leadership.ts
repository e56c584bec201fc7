import type { PostgresDatabase, PostgresSession } from '../postgres/postgres.ts';
import type { Leadership, LeadershipListener } from '../schedules/leadership.ts';

const KEY = 'hearth schedules';
const RETRY_MS = 1000;

export interface AdvisoryLeadershipOptions {
  db: Pick<PostgresDatabase, 'connect'>;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
  /** Between two tries, in milliseconds; for tests. */
  retryMs?: number;
}

/**
 * Who holds a lock of PostgreSQL leads. The lock belongs to a connection of its own and goes with it: when that is lost, the lead is lost in the same turn, and
 * the server gives the lock to another node once it has seen the same, which takes it some seconds longer.
 *
 * States: waiting (with or without a connection; the lock is tried every second) → leading → waiting, when the connection is lost; from both to closed.
 */
class AdvisoryLeadership implements Leadership {
  readonly alone = false;
  readonly #options: AdvisoryLeadershipOptions;
  #listener: LeadershipListener | null = null;
  #session: PostgresSession | null = null;
  #leads = false;
  #isAway = false;
  #closed = false;
  #timer: NodeJS.Timeout | null = null;
  #trying: Promise<void> = Promise.resolve();

  constructor(options: AdvisoryLeadershipOptions) {
    this.#options = options;
  }

  start(listener: LeadershipListener): void {
    this.#listener = listener;
    this.#tryAgain(0);
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    await this.#trying;
    await this.#session?.close();
    this.#session = null;
  }

  #tryAgain(afterMs: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#trying = this.#try();
    }, afterMs);
  }

  /** Never rejects. */
  async #try(): Promise<void> {
    const { db, log, retryMs = RETRY_MS } = this.#options;
    try {
      let session = this.#session;
      if (!session) {
        let isLost = false;
        session = await db.connect(() => {
          isLost = true;
          this.#onLost();
        });
        if (!isLost) this.#session = session;
      }
      const taken = !this.#closed && (await session.tryLock(KEY));
      this.#isAway = false;
      // It may have been lost, or given up, since the server said so.
      if (taken && this.#session === session && !this.#closed) {
        this.#leads = true;
        log.info({}, 'this node fires schedules');
        this.#listener?.won();
        return;
      }
    } catch (error) {
      if (!this.#isAway) log.warn({ err: error }, 'it can not be asked which node fires schedules; it is asked again every second');
      this.#isAway = true;
    }
    this.#tryAgain(retryMs);
  }

  #onLost(): void {
    this.#session = null;
    if (!this.#leads) return;
    this.#leads = false;
    this.#listener?.lost();
    this.#options.log.warn({}, 'this node fires schedules no more: its connection to the database was lost');
    this.#tryAgain(this.#options.retryMs ?? RETRY_MS);
  }
}

/** One of the nodes of a database leads at a time. */
export function openAdvisoryLeadership(options: AdvisoryLeadershipOptions): Leadership {
  return new AdvisoryLeadership(options);
}
