import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

/**
 * How many commits have been acknowledged, in a file beside the database. SQLite takes a write-ahead log that was cut short, or that was damaged in its
 * middle, for one whose last transactions were never finished, and goes on without them; by this number their loss is seen. It is written after the commit
 * that it counts is on the disk and needs no flush of its own: the file may be behind the database, never before it.
 */
export class CommitMark {
  readonly #descriptor: number;

  constructor(file: string) {
    this.#descriptor = openSync(file, 'a+', 0o600);
    closeSync(this.#descriptor);
    this.#descriptor = openSync(file, 'r+', 0o600);
  }

  write(commits: number): void {
    writeSync(this.#descriptor, `${String(commits).padStart(20, '0')}\n`, 0);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** @returns 0 when there is no mark, or none that can be read */
export function readMark(file: string): number {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
  return /^\d{20}\n$/.test(text) ? Number(text) : 0;
}
