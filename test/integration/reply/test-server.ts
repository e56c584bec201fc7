import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createReplyEndpoint } from '../../../src/reply/create-reply-endpoint.ts';
import type { ReplyEndpoint, ReplyEndpointLimits, ReplyInbox, ReplyMessage } from '../../../src/reply/endpoint.ts';

interface Delivery extends ReplyMessage {
  correlationId: string;
}

/** A reply endpoint behind a loopback port: each connection is handed to `accept`, as a sandbox's would be. */
export interface TestServer extends AsyncDisposable {
  port: number;
  endpoint: ReplyEndpoint;
  /** The invocations that are running. */
  running: Set<string>;
  deliveries: Delivery[];
  /** What the endpoint warned of: faults of its own. */
  warnings: object[];
}

export async function startTestServer(limits: Partial<ReplyEndpointLimits> = {}): Promise<TestServer> {
  const deliveries: Delivery[] = [];
  const warnings: object[] = [];
  const running = new Set<string>();
  const inbox: ReplyInbox = {
    accepts: (correlationId) => running.has(correlationId),
    deliver: (correlationId, message) => deliveries.push({ correlationId, ...message }),
  };
  const endpoint = createReplyEndpoint(
    { maxMessageBytes: 1024 * 1024, maxConnectionsPerInbox: 64, ...limits },
    { debug: () => undefined, warn: (fields) => warnings.push(fields) },
  );
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    endpoint.accept(socket, inbox);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    endpoint,
    running,
    deliveries,
    warnings,
    async [Symbol.asyncDispose]() {
      endpoint.close();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
