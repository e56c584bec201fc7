import { CATALOGUE, type ErrorCode, HearthError } from '../../errors.ts';
import type { Invocation } from '../../scheduler/invocation.ts';
import { decodeFrame, failHead, type Run, replyHead, STREAM_WINDOW_BYTES, startHead } from './frame.ts';
import type { Incoming } from './link.ts';
import type { Peer } from './peers.ts';

/** What has been read of a stream is told in portions of this size. Bytes. */
const CREDIT_BYTES = STREAM_WINDOW_BYTES / 4;

export interface HandedCallParts {
  invocation: Invocation;
  peer: Peer;
  /** Of its answer, when that comes whole. Bytes. */
  maxReplyBytes: number;
  /** So many bytes of its stream have been read. */
  credit(bytes: number): void;
  /** The other node is to end it. */
  cancel(): void;
  /** The first frame of an answer came, without what the other node took for it. Milliseconds. */
  onAnswered(wayMs: number): void;
  /** The sink has had its last call. */
  onOver(outcome: 'answered' | 'failed'): void;
}

interface WholeReply {
  status: number;
  headers: string[];
  body: Buffer;
  /** Bytes of the body that are there. */
  filled: number;
}

/**
 * A call that another node runs: `asked → (gathering | streaming) → over`. Its `Invocation` is no more than what the gateway is told of it; the record is the
 * other node's. Once it was sent it may have been begun, so that from then on it is never run here, unless the other node says that it hasn't been.
 */
export class HandedCall {
  readonly invocation: Invocation;
  readonly peer: Peer;
  readonly #parts: HandedCallParts;
  readonly #sentTick = performance.now();
  #streaming = false;
  #over = false;
  #answered = false;
  /** Of an answer that comes in pieces. */
  #whole: WholeReply | null = null;
  #uncredited = 0;
  #held = false;

  constructor(parts: HandedCallParts) {
    this.#parts = parts;
    this.invocation = parts.invocation;
    this.peer = parts.peer;
  }

  /** A frame of the node that runs it; not `refused`, which is the asker's affair. */
  receive({ type, content }: Incoming): void {
    if (this.#over) return;
    const frame = decodeFrame(content);
    if (!frame) {
      this.#misunderstood(type);
      return;
    }
    const { head, body } = frame;
    if (type === 'chunk') {
      this.#chunk(body);
      return;
    }
    if (type === 'end' && this.#streaming) {
      this.#end(() => this.invocation.sink.end(), 'answered');
      return;
    }
    if (type === 'reply' && !this.#streaming && replyHead.Check(head)) {
      this.#ran(head.run);
      this.#reply(head.status, head.headers, head.length, body);
    } else if (type === 'start' && !this.#streaming && startHead.Check(head)) {
      this.#ran(head.run);
      this.#streaming = true;
      this.invocation.status = head.status;
      this.invocation.sink.start(this.invocation, head.status, head.headers);
    } else if (type === 'fail' && failHead.Check(head)) {
      this.#ran(head.run);
      this.fail(errorOf(head));
    } else this.#misunderstood(type);
  }

  /** Nothing more is waited for: that is the answer. */
  fail(error: HearthError): void {
    this.#end(() => {
      const { invocation } = this;
      invocation.error = error;
      invocation.status ??= error.status === 499 ? null : error.status;
      invocation.answeredTick ||= performance.now();
      invocation.sink.fail(invocation, error);
    }, 'failed');
  }

  /** The call is run here after all. */
  abandon(): void {
    this.#over = true;
  }

  #reply(status: number, headers: string[], length: number, body: Buffer): void {
    if (body.length === length) {
      this.#answer(status, headers, body);
      return;
    }
    if (length > this.#parts.maxReplyBytes) {
      this.#parts.cancel();
      const why = `The function ${this.invocation.version.functionName} answered with ${length} bytes on the node ${this.peer.name}; here no more than ${this.#parts.maxReplyBytes} are taken (gateway.max_reply_bytes).`;
      this.fail(new HearthError('reply_too_large', why));
      return;
    }
    this.#whole = { status, headers, body: Buffer.allocUnsafe(length), filled: 0 };
    this.#fill(body);
  }

  #answer(status: number, headers: string[], body: Buffer): void {
    this.invocation.status = status;
    this.#end(() => this.invocation.sink.reply(this.invocation, status, headers, body), 'answered');
  }

  #chunk(body: Buffer): void {
    if (this.#whole) {
      this.#fill(body);
      return;
    }
    if (!this.#streaming) {
      this.#misunderstood('chunk');
      return;
    }
    this.#uncredited += body.length;
    const isRead = this.invocation.sink.write(body);
    if (this.#held) return;
    if (isRead) {
      this.#credit();
      return;
    }
    this.#held = true;
    this.invocation.sink.onceDrained(() => {
      this.#held = false;
      this.#credit();
    });
  }

  #fill(body: Buffer): void {
    const whole = this.#whole as WholeReply;
    whole.filled += body.copy(whole.body, whole.filled);
    if (whole.filled === whole.body.length) this.#answer(whole.status, whole.headers, whole.body);
  }

  #credit(): void {
    if (this.#over || this.#uncredited < CREDIT_BYTES) return;
    this.#parts.credit(this.#uncredited);
    this.#uncredited = 0;
  }

  /** What the caller is told of the run is what the other node measured; the way there and back counts as waiting. */
  #ran({ instanceId, start, bootMs, initMs, runMs, heldMs }: Run): void {
    const { invocation } = this;
    const now = performance.now();
    if (!this.#answered) this.#parts.onAnswered(now - this.#sentTick - heldMs);
    this.#answered = true;
    invocation.instanceId = instanceId;
    invocation.node = this.peer.name;
    invocation.start = start;
    invocation.bootMs = bootMs;
    invocation.initMs = initMs;
    invocation.answeredTick ||= now;
    invocation.dispatchedTick = Math.max(invocation.acceptedTick, invocation.answeredTick - runMs);
  }

  #end(last: () => void, outcome: 'answered' | 'failed'): void {
    if (this.#over) return;
    this.#over = true;
    this.invocation.answered = true;
    this.invocation.over = true;
    this.invocation.state = outcome === 'answered' ? 'succeeded' : 'failed';
    last();
    this.#parts.onOver(outcome);
  }

  #misunderstood(type: string): void {
    this.#parts.cancel();
    this.fail(
      new HearthError(
        'node_lost',
        `The node ${this.peer.name}, which ran the function ${this.invocation.version.functionName}, said something that this one can't read (${type}); do both run the same release? The function may have done its work.`,
      ),
    );
  }
}

function errorOf({
  code,
  message,
  extra,
  retryAfter,
}: {
  code: string;
  message: string;
  extra: Record<string, unknown>;
  retryAfter?: number;
}): HearthError {
  const known = code in CATALOGUE ? (code as ErrorCode) : 'internal';
  return new HearthError(known, message, { extra, ...(retryAfter === undefined ? {} : { retryAfter }) });
}
