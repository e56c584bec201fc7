import type { ServerResponse } from 'node:http';
import { type HearthError, toHearthError } from '../errors.ts';
import type { Invocation, ReplySink } from '../scheduler/invocation.ts';
import { sendProblem } from './problem.ts';
import type { StreamedBody } from './streamed-body.ts';

const SMALL_BODY_BYTES = 16 * 1024;

/** Writes an invocation's answer to the caller's connection: heads and framing are ours, bytes of bodies pass untouched. */
export class HttpReply implements ReplySink {
  readonly #response: ServerResponse;
  readonly #requestId: string | null;
  readonly #showVersion: boolean;
  /** This node's name; null: there is no other. */
  readonly #node: string | null;
  /** The connection is to be closed after this answer. */
  readonly #close: () => boolean;
  /** That this answers to, when it may come before its end. */
  readonly #body: StreamedBody | null;

  constructor(
    response: ServerResponse,
    requestId: string | null,
    showVersion: boolean,
    node: string | null,
    close: () => boolean,
    body: StreamedBody | null,
  ) {
    this.#response = response;
    this.#requestId = requestId;
    this.#showVersion = showVersion;
    this.#node = node;
    this.#close = close;
    this.#body = body;
  }

  reply(invocation: Invocation, status: number, headers: readonly string[], body: Buffer): void {
    if (this.#response.headersSent) return;
    const unread = this.#body?.isUnread === true;
    const head = this.#head(invocation, headers, unread);
    // Of an answer to HEAD without a body nobody but the function can say how long GET's would be.
    const saysLength = status !== 204 && status !== 304 && (body.length > 0 || this.#response.req.method !== 'HEAD');
    if (saysLength) head.push('Content-Length', String(body.length));
    this.#response.writeHead(status, head);
    if (unread) {
      this.#response.flushHeaders();
      if (body.length > 0) this.#response.write(body);
      this.#body?.endUnread(true);
      return;
    }
    // Node leaves out the body of an answer to HEAD, of 204 and of 304.
    // A short body goes out as a string, which Node writes together with the head; as bytes it would be a second buffer of a gathering write.
    if (body.length <= SMALL_BODY_BYTES) this.#response.end(body.toString('latin1'), 'latin1');
    else this.#response.end(body);
  }

  start(invocation: Invocation, status: number, headers: readonly string[]): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(status, this.#head(invocation, headers));
    this.#response.flushHeaders();
  }

  write(chunk: Buffer): boolean {
    return this.#response.write(chunk);
  }

  onceDrained(callback: () => void): void {
    const done = () => {
      this.#response.off('drain', done);
      this.#response.off('close', done);
      callback();
    };
    this.#response.on('drain', done);
    this.#response.on('close', done);
  }

  /** The head by which a WebSocket begins; the connection is whoever's who asks for it afterwards. */
  accept(invocation: Invocation, headers: readonly string[]): void {
    this.#response.writeHead(101, ['Connection', 'Upgrade', 'Upgrade', 'websocket', ...this.#names(invocation, headers)]);
    this.#response.flushHeaders();
  }

  end(): void {
    if (this.#body?.isUnread) this.#body.endUnread(!this.#response.shouldKeepAlive);
    else this.#response.end();
  }

  fail(invocation: Invocation, error: HearthError): void {
    if (this.#response.headersSent) {
      // The caller has to see that the stream is incomplete, and only a broken connection tells.
      this.#response.destroy();
      return;
    }
    if (error.code === 'client_gone') return;
    const unread = this.#body?.isUnread === true;
    sendProblem(this.#response, toHearthError(error), this.#head(invocation, [], unread), { correlation_id: invocation.input.id }, !unread);
    if (unread) this.#body?.endUnread(true);
  }

  #head(invocation: Invocation, headers: readonly string[], closes = false): string[] {
    const head = this.#names(invocation, headers);
    if (closes || this.#close()) head.push('Connection', 'close');
    return head;
  }

  /** What the function says, and what ran. */
  #names(invocation: Invocation, headers: readonly string[]): string[] {
    const timings = invocation.timings();
    const head = [...headers, 'X-Correlation-Id', invocation.input.correlationId];
    if (invocation.instanceId !== null) {
      head.push('X-Serverless-Instance-Id', invocation.instanceId, 'X-Hearth-Start', invocation.start);
      if (this.#node !== null) head.push('X-Hearth-Node', invocation.node ?? this.#node);
    }
    head.push(
      'Server-Timing',
      `queue;dur=${timings.queue.toFixed(2)}, start;dur=${timings.start.toFixed(2)}, init;dur=${timings.init.toFixed(2)}, run;dur=${timings.run.toFixed(2)}`,
    );
    if (this.#showVersion) head.push('X-Hearth-Version', String(invocation.version.number));
    if (this.#requestId !== null) head.push('X-Request-Id', this.#requestId);
    return head;
  }
}
