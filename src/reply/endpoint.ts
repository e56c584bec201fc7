import type { Duplex } from 'node:stream';

/** A message that a function published: the seed's way to answer. */
export interface ReplyMessage {
  body: Buffer;
  /** The content-type property, if set. */
  contentType: string | undefined;
  /** The headers property: names and values in turn; values that aren't strings, numbers or booleans are left out. */
  headers: readonly string[];
}

/** Who, in one sandbox, may be answered. Asked anew for each message. */
export interface ReplyInbox {
  /** Whether that invocation is running in this sandbox. */
  accepts(correlationId: string): boolean;
  /** Hands over a message; only called after `accepts` said yes in the same tick. A second message to one invocation is the inbox's to drop. */
  deliver(correlationId: string, message: ReplyMessage): void;
}

export interface ReplyEndpointLimits {
  /** A larger message body closes the channel with an error before its content is read into memory. */
  maxMessageBytes: number;
  /** Connections of one inbox at a time. */
  maxConnectionsPerInbox: number;
}

/** What functions see as `message_queue`: enough of an AMQP 0-9-1 broker to be answered by unmodified clients. */
export interface ReplyEndpoint {
  /** Serves one connection from inside a sandbox until either side ends it. Never throws: what goes wrong is told to the client by AMQP's own means. */
  accept(connection: Duplex, inbox: ReplyInbox): void;
  /** Closes every connection (connection.close 320 CONNECTION_FORCED, then the stream). */
  close(): void;
}

/** One that counts what it does. */
export interface CountingReplyEndpoint extends ReplyEndpoint {
  /** Connections that are open, and how often a function named an invocation that isn't running in its sandbox: over, cancelled, another's, or made up. */
  readonly counts: { readonly connections: number; readonly refused: number };
}
