import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Channel } from 'amqplib';
import type { BrokerConnection } from './broker-connection.ts';

/** For what is open to be written down; a platform that is killed within it leaves those to the broker's policy. */
const WRITE_AFTER_MS = 200;

export interface LeftoversParts {
  connection: Pick<BrokerConnection, 'openPlainChannel'>;
  /** Where the names of queues are written down that are to be deleted some day. */
  file: string;
  /** Milliseconds until a queue that was left to a client is deleted. */
  keepMs: number;
  clock: () => number;
  log: { debug(fields: object, message: string): void; warn(fields: object, message: string): void };
}

interface Written {
  open: string[];
  /** With the moment at which they are due, in milliseconds since the epoch. */
  left: [name: string, due: number][];
}

/** Queues that outlived their run: the broker was away when they were to be deleted, the platform was killed, or their client may still want them. */
export class Leftovers {
  readonly #parts: LeftoversParts;
  /** Of runs that aren't over. */
  readonly #open = new Set<string>();
  readonly #toDelete = new Set<string>();
  /** With the moment at which they are due; in that order. */
  readonly #later = new Map<string, number>();
  #channel: Channel | null = null;
  #sweeping: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #writeTimer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(parts: LeftoversParts) {
    this.#parts = parts;
  }

  /** Reads what the last process left. */
  async start(): Promise<void> {
    const text = await readFile(this.#parts.file, 'utf8').catch(() => null);
    if (text === null) return;
    try {
      const { open, left } = JSON.parse(text) as Written;
      for (const name of open) this.#toDelete.add(name);
      for (const [name, due] of left) this.#later.set(name, due);
    } catch (error) {
      this.#parts.log.warn(
        { file: this.#parts.file, err: error },
        'the list of reply queues can not be read; those that are left on the broker are left to its policy',
      );
    }
    this.#plan();
  }

  opened(name: string): void {
    this.#open.add(name);
    this.#changed();
  }

  /** It is gone. */
  closed(name: string): void {
    this.#open.delete(name);
    this.#changed();
  }

  /** To be deleted as soon as the broker can be reached. */
  add(name: string): void {
    this.#open.delete(name);
    this.#toDelete.add(name);
    this.#changed();
    this.sweep();
  }

  /** To be deleted some time later, unless somebody uses it then. */
  addLater(name: string): void {
    this.#later.delete(name);
    this.#later.set(name, this.#parts.clock() + this.#parts.keepMs);
    this.#changed();
    this.#plan();
  }

  /** Deletes what is to be deleted, if the broker can be reached. */
  sweep(): void {
    if (this.#closed || this.#sweeping !== null || this.#toDelete.size === 0) return;
    this.#sweeping = this.#sweep().finally(() => {
      this.#sweeping = null;
    });
  }

  async close(): Promise<void> {
    await this.#sweeping;
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    if (this.#writeTimer) clearTimeout(this.#writeTimer);
    await this.#writing;
    await this.#write();
  }

  /** Never rejects. */
  async #sweep(): Promise<void> {
    for (const name of this.#toDelete) {
      try {
        this.#channel ??= await this.#openChannel();
      } catch {
        // It is asked again once there is a connection.
        return;
      }
      try {
        // One that is not as replies are is somebody else's: the broker refuses to declare it anew.
        await this.#channel.assertQueue(name, { durable: false });
        await this.#channel.deleteQueue(name, { ifUnused: true });
      } catch (error) {
        // The connection went: whoever makes it anew sweeps again.
        if (!('code' in (error as Error))) return;
        this.#parts.log.debug({ queue: name, err: error }, 'a reply queue is left to whoever uses it');
      }
      this.#toDelete.delete(name);
      this.#changed();
    }
  }

  async #openChannel(): Promise<Channel> {
    const channel = await this.#parts.connection.openPlainChannel();
    channel.on('error', () => undefined);
    channel.on('close', () => {
      this.#channel = null;
    });
    return channel;
  }

  #plan(): void {
    const [next] = this.#later.values();
    if (next === undefined || this.#timer !== null || this.#closed) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        for (const [name, due] of this.#later) {
          if (due > this.#parts.clock()) break;
          this.#later.delete(name);
          this.#toDelete.add(name);
        }
        this.sweep();
        this.#plan();
      },
      Math.min(Math.max(0, next - this.#parts.clock()), 60_000),
    );
    this.#timer.unref();
  }

  #changed(): void {
    if (this.#closed) return;
    this.#writeTimer ??= setTimeout(() => {
      this.#writeTimer = null;
      this.#writing = this.#writing.then(() => this.#write());
    }, WRITE_AFTER_MS);
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    const written: Written = { open: [...this.#open, ...this.#toDelete], left: [...this.#later] };
    const { file, log } = this.#parts;
    try {
      await writeFile(`${file}.new`, JSON.stringify(written));
      await rename(`${file}.new`, file);
    } catch (error) {
      log.warn(
        { file, err: error },
        'the list of reply queues can not be written; what a killed platform leaves on the broker is left to its policy',
      );
    }
  }
}
