import { AmqpError } from './amqp-error.ts';
import { ByteCollector } from './byte-collector.ts';
import { type BasicProperties, parseContentHeader } from './content-header.ts';

const BASIC_CLASS = 60;

/** Bytes that the unfinished messages of one connection may announce together. */
export class ContentBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** @throws AmqpError RESOURCE_ERROR */
  take(bytes: number): void {
    if (bytes > this.#left) throw new AmqpError('RESOURCE_ERROR', 'the unfinished messages of this connection are too large together');
    this.#left -= bytes;
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}

/**
 * The content of one published message (section 4.2.6): header → body … until bodySize bytes have come.
 * Whoever begins one either sees it complete or calls `abandon`.
 */
export class ContentAssembly {
  readonly routingKey: string;
  readonly #maxBytes: number;
  readonly #budget: ContentBudget;
  readonly #body = new ByteCollector();
  #properties: BasicProperties | undefined;
  #bodySize = 0;

  constructor(routingKey: string, maxBytes: number, budget: ContentBudget) {
    this.routingKey = routingKey;
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  get complete(): boolean {
    return this.#properties !== undefined && this.#body.length === this.#bodySize;
  }

  /** @throws AmqpError UNEXPECTED_FRAME, FRAME_ERROR, SYNTAX_ERROR, CONTENT_TOO_LARGE, RESOURCE_ERROR */
  header(payload: Buffer): void {
    if (this.#properties !== undefined) throw new AmqpError('UNEXPECTED_FRAME', 'a second content header for one message');
    const { classId, bodySize, properties } = parseContentHeader(payload);
    if (classId !== BASIC_CLASS) throw new AmqpError('FRAME_ERROR', `a content header of class ${classId} after basic.publish`);
    if (bodySize > this.#maxBytes)
      throw new AmqpError('CONTENT_TOO_LARGE', `a message of ${bodySize} bytes is larger than the maximum of ${this.#maxBytes}`);
    this.#budget.take(Number(bodySize));
    this.#bodySize = Number(bodySize);
    this.#properties = properties;
  }

  /** @throws AmqpError UNEXPECTED_FRAME, FRAME_ERROR */
  body(payload: Buffer): void {
    if (this.#properties === undefined) throw new AmqpError('UNEXPECTED_FRAME', 'a body frame before the content header');
    if (this.#body.length + payload.length > this.#bodySize) throw new AmqpError('FRAME_ERROR', 'more body than the content header announced');
    this.#body.append(payload, this.#bodySize);
  }

  /** The message, once it is complete. */
  finish(): { properties: BasicProperties; body: Buffer } {
    this.abandon();
    return { properties: this.#properties ?? {}, body: this.#body.take() };
  }

  /** Lets go of what the message had taken of the budget. */
  abandon(): void {
    this.#budget.giveBack(this.#bodySize);
    this.#bodySize = 0;
  }
}
