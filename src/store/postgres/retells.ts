import { HearthError } from '../../errors.ts';
import type { StoreChange } from '../change-feed.ts';

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 60_000;
const MAX_TRIES = 10;

/** Tells changes, and those again that the listener could not take, so that one doesn't hold up the others. */
export interface Retells {
  tell(change: StoreChange): Promise<void>;
  /** Those whose time has come. @param stopped asked before each */
  again(stopped: () => boolean): Promise<void>;
}

/** Never rejects. What the listener rejects with store_unavailable is no fault of the change, and told until it is taken. */
export function createRetells(listener: (change: StoreChange) => Promise<void>, log: { warn(fields: object, message: string): void }): Retells {
  const waiting = new Map<string, { change: StoreChange; tries: number; at: number }>();

  async function tell(change: StoreChange, tries: number): Promise<void> {
    const key = `${change.kind} ${change.name}`;
    try {
      await listener(change);
      waiting.delete(key);
    } catch (error) {
      const counted = error instanceof HearthError && error.code === 'store_unavailable' ? tries : tries + 1;
      if (counted >= MAX_TRIES) {
        waiting.delete(key);
        log.warn(
          { err: error, change, tries: counted },
          "another node's change could not be taken over; restart this node, or make the change again",
        );
        return;
      }
      if (counted === 1) log.warn({ err: error, change }, "another node's change could not be taken over; it is tried again");
      waiting.set(key, { change, tries: counted, at: Date.now() + Math.min(FIRST_RETRY_MS * 2 ** counted, LAST_RETRY_MS) });
    }
  }

  return {
    tell: (change) => tell(change, 0),
    async again(stopped) {
      for (const { change, tries, at } of [...waiting.values()]) {
        if (stopped()) return;
        if (Date.now() >= at) await tell(change, tries);
      }
    },
  };
}
