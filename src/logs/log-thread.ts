import { Worker } from 'node:worker_threads';
import { HearthError } from '../errors.ts';
import type { FromLogThread, LogRequests, LogThreadData, ToLogThread } from './thread/messages.ts';

interface Pending {
  resolve(value: never): void;
  reject(error: HearthError): void;
}

export interface LogThreadListener {
  /** What became of records that were handed over. */
  onWritten(outcome: Extract<FromLogThread, { kind: 'written' }>): void;
  /** It has ended by itself: what it had is lost. */
  onDied(error: unknown): void;
}

/** The event loop's end of the log's thread: `running → closing → ended`, or ended by itself, which fails all that is asked. */
export class LogThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #ended = false;
  #closing = false;

  constructor(data: LogThreadData, listener: LogThreadListener) {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./thread/worker.${extension}`, import.meta.url), { name: 'hearth-logs', workerData: data });
    let death: unknown = null;
    this.#worker.on('message', (message: FromLogThread) => {
      if (message.kind === 'written') listener.onWritten(message);
      else this.#settle(message);
    });
    this.#worker.on('error', (error) => {
      death = error;
    });
    this.#worker.once('exit', () => {
      this.#ended = true;
      for (const one of this.#pending.values()) one.reject(unavailable('its thread has ended'));
      this.#pending.clear();
      if (!this.#closing) listener.onDied(death);
    });
  }

  /** The buffer is the thread's from now on. */
  write(buffer: ArrayBuffer, length: number): void {
    this.#post({ kind: 'records', buffer, length }, [buffer]);
  }

  /** @throws HearthError store_unavailable */
  ask<Name extends keyof LogRequests>(
    kind: Name,
    request: LogRequests[Name]['request'],
    signal?: AbortSignal,
  ): Promise<LogRequests[Name]['response']> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(unavailable('its thread has ended'));
        return;
      }
      const id = ++this.#lastId;
      const cancel = () => this.#post({ kind: 'cancel', id });
      const settle = () => {
        signal?.removeEventListener('abort', cancel);
        this.#pending.delete(id);
      };
      this.#pending.set(id, {
        resolve(value) {
          settle();
          resolve(value);
        },
        reject(error) {
          settle();
          reject(error);
        },
      });
      this.#post({ kind, id, request } as ToLogThread);
      signal?.addEventListener('abort', cancel);
      if (signal?.aborted) cancel();
    });
  }

  /** Has it write what it was given, for so many milliseconds at most, and ends it. Never rejects. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([this.ask('close', null).catch(() => undefined), late]);
    clearTimeout(timer);
    await this.#worker.terminate();
  }

  #settle(message: Exclude<FromLogThread, { kind: 'written' }>): void {
    const one = this.#pending.get(message.id);
    if (message.kind === 'answer') one?.resolve(message.value as never);
    else one?.reject(unavailable(message.message));
  }

  #post(message: ToLogThread, transfer: ArrayBuffer[] = []): void {
    if (!this.#ended) this.#worker.postMessage(message, transfer);
  }
}

function unavailable(why: string): HearthError {
  return new HearthError('store_unavailable', `The log of what functions print can not be read: ${why}. The platform's own log may say more.`);
}
