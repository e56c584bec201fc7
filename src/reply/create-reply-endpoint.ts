import type { Duplex } from 'node:stream';
import { Connection } from './amqp/connection.ts';
import type { CountingReplyEndpoint, ReplyEndpointLimits, ReplyInbox } from './endpoint.ts';
import type { ReplyLog } from './reply-log.ts';

/** Connections above the limit are heard until connection.open, so that their client can say why it was refused; above this many times the limit they are cut. */
const HEARD_TIMES_LIMIT = 2;

/** The reply endpoint of one platform: it serves the connections of all sandboxes. Holds no resources but those connections. */
export function createReplyEndpoint(limits: ReplyEndpointLimits, log: ReplyLog): CountingReplyEndpoint {
  const connections = new Map<ReplyInbox, Set<Connection>>();
  let closed = false;
  let refused = 0;

  const counted = (inbox: ReplyInbox): ReplyInbox => ({
    accepts(correlationId) {
      const accepted = inbox.accepts(correlationId);
      if (!accepted) refused++;
      return accepted;
    },
    deliver: (correlationId, message) => inbox.deliver(correlationId, message),
  });

  const accept = (stream: Duplex, inbox: ReplyInbox): void => {
    // A stream that breaks also closes, and that is what ends the connection.
    stream.on('error', (error) => log.debug({ err: error }, 'a connection to the reply endpoint broke'));
    const siblings = connections.get(inbox) ?? new Set();
    if (closed || stream.destroyed || siblings.size >= limits.maxConnectionsPerInbox * HEARD_TIMES_LIMIT) {
      stream.destroy();
      return;
    }
    const refusal =
      siblings.size < limits.maxConnectionsPerInbox ? undefined : `connection limit (${limits.maxConnectionsPerInbox}) of this sandbox is reached`;
    const connection: Connection = new Connection(stream, counted(inbox), { maxMessageBytes: limits.maxMessageBytes, refusal }, log, () => {
      siblings.delete(connection);
      if (siblings.size === 0 && connections.get(inbox) === siblings) connections.delete(inbox);
    });
    siblings.add(connection);
    connections.set(inbox, siblings);
  };

  const close = (): void => {
    closed = true;
    for (const siblings of connections.values()) for (const connection of siblings) connection.forceClose();
  };

  return {
    accept,
    close,
    get counts() {
      let open = 0;
      for (const siblings of connections.values()) open += siblings.size;
      return { connections: open, refused };
    },
  };
}
