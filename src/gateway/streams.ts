import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HearthError } from '../errors.ts';
import type { RouteTarget } from '../router/router.ts';
import type { Invocation } from '../scheduler/invocation.ts';
import type { Connections } from './connections.ts';
import type { Invoker } from './gateway.ts';
import type { HttpReply } from './http-reply.ts';
import { queuedMode } from './respond-async.ts';
import { StreamedBody, type StreamedBodySettings } from './streamed-body.ts';
import { Tunnel } from './tunnel.ts';

export interface StreamsParts {
  invoker: Pick<Invoker, 'cancel' | 'fail' | 'hangUp'>;
  connections: Connections;
  settings: StreamedBodySettings;
  /** Answers a request whose invocation has no answer any more. */
  refuse(request: IncomingMessage, response: ServerResponse, error: HearthError): void;
}

/** Whether the function is given the body as it comes: not when several functions need it, nor when it is queued. */
export function isStreamed(request: IncomingMessage, targets: readonly RouteTarget[]): boolean {
  return targets.length === 1 && (targets[0] as RouteTarget).version.streamBody && queuedMode(request.headers, targets) === null;
}

/** What passes through the gateway while functions run: bodies of requests, and WebSockets. */
export class Streams {
  readonly #parts: StreamsParts;
  /** Handshakes, and WebSockets that were made of them. */
  readonly #tunnels = new Set<Tunnel>();

  constructor(parts: StreamsParts) {
    this.#parts = parts;
  }

  /** @param invocations that it is for, once there are some @throws HearthError body_too_large */
  body(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean, invocations: readonly Invocation[]): StreamedBody {
    const { connections, invoker, settings, refuse } = this.#parts;
    const fail = (error: HearthError): void => {
      connections.closeAfter(request);
      for (const invocation of invocations) invoker.fail(invocation, error);
    };
    const body = new StreamedBody(request, response, expectsContinue, settings, fail);
    connections.streams(response, (problem, brokenOff) => {
      if (!brokenOff) {
        fail(problem);
        return;
      }
      for (const invocation of invocations) invoker.cancel(invocation);
      if (response.headersSent) response.destroy();
      else refuse(request, response, problem);
    });
    return body;
  }

  /** @param head what came behind the handshake @param reply for answers that don't accept it */
  tunnel(request: IncomingMessage, response: ServerResponse, head: Buffer, reply: HttpReply, invocations: readonly Invocation[]): Tunnel {
    const tunnel = new Tunnel(request, response, head, reply, () => {
      for (const invocation of invocations) this.#parts.invoker.hangUp(invocation);
    });
    this.#tunnels.add(tunnel);
    request.socket.once('close', () => this.#tunnels.delete(tunnel));
    return tunnel;
  }

  /** WebSockets, and handshakes for them. */
  get webSockets(): number {
    return this.#tunnels.size;
  }

  /** Functions are told as if the callers of all WebSockets had ended their side. */
  endCallers(): void {
    for (const tunnel of this.#tunnels) tunnel.endCaller();
  }

  destroy(): void {
    for (const tunnel of this.#tunnels) tunnel.destroy();
  }
}
