import type { IncomingMessage, ServerResponse } from 'node:http';
import { HearthError } from '../errors.ts';
import type { BodyReader, BodySource } from '../scheduler/body-feed.ts';
import { lingerAndClose, lingerAndGoOn } from './linger.ts';

export interface StreamedBodySettings {
  /** Bytes. */
  limit: number;
  /** Milliseconds that the caller may pause for. */
  idleMs: number;
}

/** The body of a request whose function reads it as it comes. Nothing is read of it before an instance has taken the invocation. */
export class StreamedBody implements BodySource {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #settings: StreamedBodySettings;
  readonly #onUnusable: (error: HearthError) => void;
  /** The caller waits to be told to send. */
  #awaitsContinue: boolean;
  #reader: BodyReader | null = null;
  #bytes = 0;
  #clock: NodeJS.Timeout | null = null;
  #paused = false;

  /** @param onUnusable called at most once: it is too large, or its caller pauses for too long @throws HearthError body_too_large when it announces so */
  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
    settings: StreamedBodySettings,
    onUnusable: (error: HearthError) => void,
  ) {
    this.#request = request;
    this.#response = response;
    this.#settings = settings;
    this.#onUnusable = onUnusable;
    this.#awaitsContinue = expectsContinue;
    if (Number(request.headers['content-length'] ?? 0) > settings.limit) throw tooLarge(settings.limit);
    request.once('close', () => this.close());
  }

  /** Whether some of it has not arrived: what follows on the connection can't be told from it. */
  get isUnread(): boolean {
    return !this.#request.complete;
  }

  open(reader: BodyReader): void {
    const { idleMs, limit } = this.#settings;
    this.#reader = reader;
    if (this.#awaitsContinue && !this.#response.headersSent) this.#response.writeContinue();
    this.#awaitsContinue = false;
    this.#clock = setTimeout(() => {
      // While we don't read, it is not the caller who pauses.
      if (!this.#paused) this.#unusable(tooSlow(idleMs));
    }, idleMs);
    this.#request.on('data', (chunk: Buffer) => {
      if (!this.#reader) return;
      this.#bytes += chunk.length;
      if (this.#bytes > limit) {
        this.#unusable(tooLarge(limit));
        return;
      }
      this.#clock?.refresh();
      this.#reader.data(chunk);
    });
    this.#request.on('end', () => {
      const ended = this.#reader;
      this.close();
      ended?.end();
    });
  }

  pause(): void {
    this.#paused = true;
    this.#request.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#clock?.refresh();
    this.#request.resume();
  }

  close(): void {
    if (this.#clock) clearTimeout(this.#clock);
    this.#clock = null;
    this.#reader = null;
  }

  /** Ends an answer that was written before all of this had come. @param closes it announced that the connection ends */
  endUnread(closes: boolean): void {
    this.close();
    if (this.#awaitsContinue) {
      // Who waits to be told to send has sent nothing, and needn't be waited for.
      this.#response.end();
      this.#response.once('finish', () => this.#request.destroy());
      return;
    }
    this.#request.resume();
    if (closes) lingerAndClose(this.#request, this.#response);
    else lingerAndGoOn(this.#request, this.#response);
  }

  #unusable(error: HearthError): void {
    this.close();
    this.#onUnusable(error);
  }
}

function tooLarge(limit: number): HearthError {
  return new HearthError(
    'body_too_large',
    `The streamed request body is larger than ${limit} bytes. Send less, or raise gateway.max_streamed_body_bytes.`,
    {
      extra: { limit_bytes: limit },
    },
  );
}

function tooSlow(idleMs: number): HearthError {
  return new HearthError('request_timeout', `Nothing of the request body came for ${idleMs} ms (gateway.stream_idle_ms).`);
}
