import type { Duplex } from 'node:stream';
import type { HearthError } from '../errors.ts';

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

/** Who waits for the answer of one run of a script. */
export interface ReplyReceiver {
  /** The first message, and those after it until the run is closed. */
  onMessage(message: ReplyMessage): void;
  /** No message can come any more. At most once, and not after `close`. */
  onLost(error: HearthError): void;
}

/** The queue of one run of a script. */
export interface ReplyQueue {
  /** Resolves once everything has been handed over that was on its way when this was called. Never rejects. */
  settled(): Promise<void>;
  /** The run is over: nothing more is handed over. @param after when it is certain that nothing more comes from it */
  close(after: Promise<void>): void;
}

/** The other way to be answered: by the queues of a broker that the operator runs, to which functions connect as to any service. */
export interface ReplyQueues {
  /** Why no run can be answered at present; null: nothing is known against it. */
  refusal(): HearthError | null;
  /** A run begins. */
  open(correlationId: string, receiver: ReplyReceiver): ReplyQueue;
  /** A run is over whose answer its client takes from the broker. */
  leaveToClient(correlationId: string): void;
}
