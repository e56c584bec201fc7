/** Reply codes, AMQP 0-9-1 section 1.8 of the generated documentation; the names go into the reply text, as RabbitMQ has it. */
export const REPLY_CODES = {
  CONTENT_TOO_LARGE: 311,
  CONNECTION_FORCED: 320,
  ACCESS_REFUSED: 403,
  NOT_FOUND: 404,
  PRECONDITION_FAILED: 406,
  FRAME_ERROR: 501,
  SYNTAX_ERROR: 502,
  COMMAND_INVALID: 503,
  CHANNEL_ERROR: 504,
  UNEXPECTED_FRAME: 505,
  RESOURCE_ERROR: 506,
  NOT_ALLOWED: 530,
  NOT_IMPLEMENTED: 540,
  INTERNAL_ERROR: 541,
} as const;

export type ReplyName = keyof typeof REPLY_CODES;

const SOFT: ReadonlySet<ReplyName> = new Set<ReplyName>(['CONTENT_TOO_LARGE', 'ACCESS_REFUSED', 'NOT_FOUND', 'PRECONDITION_FAILED']);

/**
 * What a client did wrong, in AMQP's own terms. It never leaves the endpoint: the connection tells it to the client.
 * Soft errors close the channel, hard ones the connection (section 4.10).
 */
export class AmqpError extends Error {
  override readonly name = 'AmqpError';
  readonly code: number;
  readonly soft: boolean;

  constructor(reply: ReplyName, detail: string) {
    super(`${reply} - ${detail}`);
    this.code = REPLY_CODES[reply];
    this.soft = SOFT.has(reply);
  }
}
