import type { ServerResponse } from 'node:http';

export interface EventSource<T> {
  /** Beside those of the stream. */
  headers: Record<string, string>;
  read(): Promise<T>;
  /** Nothing changes any more. */
  isLast(value: T): boolean;
  /** @returns what ends it */
  watch(listener: () => void): () => void;
  /** The platform ends. */
  ending: AbortSignal;
  log: { warn(fields: object, message: string): void };
}

/** So that proxies and clients don't take a quiet stream for a dead one. */
const COMMENT_MS = 15_000;
/** For changes that nobody tells of. */
const LOOK_MS = 1000;

/** Sends the value as an event `state` whenever it has changed (HTML Living Standard §9.2), until its last, the reader's leaving or the platform's end. */
export async function sendEvents<T>(response: ServerResponse, { headers, read, isLast, watch, ending, log }: EventSource<T>): Promise<void> {
  response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
  let wake = (): void => undefined;
  let changed = false;
  const onChange = (): void => {
    changed = true;
    wake();
  };
  const unwatch = watch(onChange);
  response.once('close', onChange);
  ending.addEventListener('abort', onChange);
  const looks = setInterval(onChange, LOOK_MS);
  const comments = setInterval(() => response.write(': still there\n\n'), COMMENT_MS);
  try {
    let before = '';
    while (!response.destroyed && !ending.aborted) {
      changed = false;
      const value = await read();
      const text = JSON.stringify(value);
      if (text !== before) response.write(`event: state\ndata: ${text}\n\n`);
      before = text;
      if (isLast(value)) break;
      if (!changed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } catch (error) {
    log.warn({ err: error }, 'a stream of events broke off');
  } finally {
    clearInterval(looks);
    clearInterval(comments);
    unwatch();
    ending.removeEventListener('abort', onChange);
    response.end();
  }
}
