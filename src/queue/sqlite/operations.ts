import type { LeaseBook } from './lease-book.ts';
import type { QueueDatabase } from './open-database.ts';

/** What the operations work with. */
export interface Session {
  db: QueueDatabase;
  leases: LeaseBook;
  /** Of the batch under way; milliseconds since the epoch. */
  now(): number;
  /** What is done in memory waits for the commit: a transaction that fails leaves no trace there either. */
  afterCommit(effect: () => void): void;
}
