import { HearthError } from '../errors.ts';
import type { ReplyHeadMessage } from '../protocol/messages.ts';
import type { ReplyMessage } from '../reply/endpoint.ts';
import { BodyPieces } from './body-pieces.ts';
import type { Invocation } from './invocation.ts';
import { withLastLines } from './last-lines.ts';
import { checkReplyHead, headOfMessage, type ReplyHead } from './reply-head.ts';

const EMPTY = Buffer.alloc(0);

/**
 * From a runtime's reply frames, or a script's message, to the calls of the invocation's sink. Buffered replies are gathered up to a bound; most come
 * in one frame and are passed on without a copy.
 */
export class ReplyAssembly {
  readonly #invocation: Invocation;
  /** Bytes. */
  readonly #limit: number;
  #head: ReplyHead | null = null;
  #streaming = false;
  #upgraded = false;
  readonly #pieces = new BodyPieces();

  constructor(invocation: Invocation, limit: number) {
    this.#invocation = invocation;
    this.#limit = limit;
  }

  get streaming(): boolean {
    return this.#streaming;
  }

  /** A WebSocket was accepted. */
  get upgraded(): boolean {
    return this.#upgraded;
  }

  /** @throws HearthError invalid_reply */
  head(message: ReplyHeadMessage): void {
    if (this.#head) throw new HearthError('invalid_reply', 'The runtime sent a second head for one answer.');
    this.#upgraded = message.status === 101 && message.streaming && this.#invocation.input.upgrade !== undefined;
    this.#head = checkReplyHead(message.status, message.headers, this.#upgraded);
    if (!message.streaming) return;
    this.#streaming = true;
    const invocation = this.#invocation;
    invocation.clock = 'stream';
    invocation.status = this.#head.status;
    invocation.answeredTick = performance.now();
    invocation.sink.start(invocation, this.#head.status, this.#head.headers);
  }

  /** @returns false when the caller reads slowly @throws HearthError reply_too_large, invalid_reply */
  body(chunk: Buffer): boolean {
    if (!this.#head) throw new HearthError('invalid_reply', 'The runtime sent a body before the head of the answer.');
    if (this.#streaming) return this.#invocation.sink.write(chunk);
    if (this.#pieces.bytes + chunk.length > this.#limit) {
      throw new HearthError(
        'reply_too_large',
        `The function ${this.#invocation.version.functionName} answered with more than ${this.#limit} bytes. Stream it (a generator as result), or raise gateway.max_reply_bytes.`,
      );
    }
    this.#pieces.add(chunk);
    return true;
  }

  /** @throws HearthError invalid_reply */
  end(): void {
    const head = this.#head;
    if (!head) throw new HearthError('invalid_reply', 'The runtime ended an answer that it never began.');
    if (this.#streaming) {
      settle(this.#invocation);
      this.#invocation.sink.end();
      return;
    }
    const body = this.#pieces.take();
    const { status, headers, bodyLength } = head;
    if (body.length === 0 && bodyLength !== null && status !== 204 && this.#invocation.input.verb === 'HEAD')
      headers.push('Content-Length', bodyLength);
    this.#whole(status, headers, body);
  }

  /** A script's answer. Its bound was kept by the reply endpoint. @throws HearthError invalid_reply */
  message(message: ReplyMessage): void {
    const head = headOfMessage(message);
    this.#whole(head.status, head.headers, message.body);
  }

  /** A script ended well and said nothing. */
  nothing(): void {
    this.#whole(204, [], EMPTY);
  }

  #whole(status: number, headers: readonly string[], body: Buffer): void {
    const invocation = this.#invocation;
    invocation.status = status;
    invocation.answeredTick = performance.now();
    settle(invocation);
    invocation.sink.reply(invocation, status, headers, body);
  }
}

/** Tells the caller that it failed, unless it has its answer. */
export function failInvocation(invocation: Invocation, error: HearthError): void {
  if (invocation.answered) return;
  const told = invocation.version.errorLogs ? withLastLines(error, invocation.logs?.text() ?? null) : error;
  // After the head of a stream the status that the caller saw stands.
  invocation.status ??= error.status === 499 ? null : error.status;
  invocation.answeredTick ||= performance.now();
  invocation.error ??= told;
  settle(invocation);
  invocation.sink.fail(invocation, told);
}

function settle(invocation: Invocation): void {
  invocation.answered = true;
}
