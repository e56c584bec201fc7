import { HearthError } from '../../errors.ts';
import type { PostgresDatabase, PostgresSession } from '../../postgres/postgres.ts';
import type { ChangeFeed, StoreChange } from '../change-feed.ts';
import { CHANNEL, currentPosition, forgetChanges, type Position, readChanges } from './changes.ts';
import { createRetells } from './retells.ts';

export interface ChangeFeedOptions {
  /** With the tables of the store. */
  db: PostgresDatabase;
  node: { id: string };
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

/** Without a notification the table is looked at all the same; what is lost with a connection is found then. */
const LOOK_MS = 1_000;
const FORGET_MS = 3600_000;

/** States: new → telling ⇄ waiting (for a notification, or the time to look) → closed. */
export function openChangeFeed({ db, node, log }: ChangeFeedOptions): ChangeFeed {
  let closed = false;
  let ended: Promise<void> | undefined;
  let session: PostgresSession | undefined;
  let connecting: Promise<void> | undefined;
  /** A notification came while others were told. */
  let noticed = false;
  let wake = (): void => undefined;
  let away = false;
  let forgetAt = Date.now() + Math.random() * FORGET_MS;

  function notice(): void {
    noticed = true;
    wake();
  }

  async function pause(): Promise<void> {
    if (!noticed && !closed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    noticed = false;
  }

  /** Who can't listen looks. */
  async function listen(): Promise<void> {
    try {
      const made = await db.connect(() => {
        session = undefined;
      });
      session = made;
      await made.listen(CHANNEL, notice);
      // What was committed before it listened.
      notice();
    } catch {
      // Whether the database can be reached is told by the looks.
      await session?.close();
      session = undefined;
    } finally {
      connecting = undefined;
    }
  }

  async function follow(from: Position, listener: (change: StoreChange) => Promise<void>): Promise<void> {
    let position = from;
    const retells = createRetells(listener, log);
    for (; !closed; await pause()) {
      if (session === undefined) connecting ??= listen();
      try {
        const read = await readChanges(db, node.id, position);
        if (away) log.info({}, `changes that other nodes make are known again (PostgreSQL at ${db.shown})`);
        away = false;
        for (const change of read.changes) {
          if (closed) return;
          await retells.tell(change);
        }
        position = read.position;
        await retells.again(() => closed);
        if (Date.now() >= forgetAt) {
          forgetAt = Date.now() + FORGET_MS;
          await forgetChanges(db);
        }
      } catch (error) {
        if (!away && !closed) log.warn({ err: error }, 'changes that other nodes make can not be known at present; what is in service goes on');
        away = true;
      }
    }
  }

  return {
    async start(listener) {
      if (ended !== undefined || closed) throw new HearthError('internal', 'A feed of changes is started once.');
      const from = await currentPosition(db);
      ended = follow(from, listener);
    },
    async close() {
      closed = true;
      wake();
      await Promise.all([ended, connecting]);
      await session?.close();
    },
  };
}
