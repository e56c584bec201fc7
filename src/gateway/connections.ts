import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { HearthError } from '../errors.ts';
import { rawProblem } from './problem.ts';

/** How long an answer that ends a connection may lie unread while what the caller still sends is dropped. */
const LINGER_MS = 1000;
/** So many callers beyond the bound are told so at a time; the others are cut off without a word. */
const MAX_REFUSALS = 256;
/** Idle connections are ended to make room for new ones so often at most. */
const MAKE_ROOM_INTERVAL_MS = 1000;

/** What Node.js takes; more would be none. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Callers who have ended their side are probed after so long, then after twice that, until it is so long. */
const FIRST_PROBE_MS = 50;
const LAST_PROBE_MS = 5000;

/**
 * One connection, and what stands open on it. It goes one way: *reading* → *closing*, from when on nothing that arrives is taken for a request any more
 * (after a framing error nobody can say where the next one begins) → *ending*, when it is known what will be said last. Answers to the requests before
 * are still given, in their order.
 */
interface Connection {
  readonly socket: Socket;
  /** Requests without a complete answer, in the order in which they came. */
  readonly open: ServerResponse[];
  /** It has had an answer. */
  served: boolean;
  state: 'reading' | 'closing' | 'ending';
  /** To be said after the last open answer. */
  lastWords: HearthError | null;
}

/** @param brokenOff the caller has ended its side before the end of the body */
type BrokenBody = (problem: HearthError, brokenOff: boolean) => void;

export interface ConnectionSettings {
  /** How many there may be at a time. */
  limit: number;
  /** Milliseconds that nothing of a complete answer may be read for. */
  unreadMs: number;
  /** Bytes a second at which a complete answer is to be read on average. */
  minReadBytesPerS: number;
}

/** The connections of a server: how many there may be, what is read from each, and how each ends. */
export class Connections {
  readonly #settings: ConnectionSettings;
  readonly #bySocket = new WeakMap<Socket, Connection>();
  readonly #all = new Set<Connection>();
  /** Answers to requests whose bodies are read while their functions run, with whom to tell that one can't be read. */
  readonly #streamed = new WeakMap<ServerResponse, BrokenBody>();
  /** Requests that are over, by the first digit of the answer's status; 0: there was none. */
  readonly answered = new Float64Array(6);
  #refusals = 0;
  #madeRoomAt = Number.NEGATIVE_INFINITY;

  constructor(server: Server, settings: ConnectionSettings) {
    this.#settings = settings;
    // A caller may end its side after its request, and still gets the answer (RFC 9112 §9.6). Node.js has the switch, its types don't.
    (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
    server.on('connection', (socket) => this.#onConnection(socket));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#onClientError(error, socket as Socket));
  }

  /** A request was read. @returns false when it is not to be looked at: it stands behind something that ended the connection */
  onRequest(request: IncomingMessage, response: ServerResponse): boolean {
    const connection = this.#of(request.socket);
    if (connection.state !== 'reading') return false;
    connection.open.push(response);
    response.on('close', () => this.#onAnswered(connection, response));
    // Comes when all of it has been given to the socket: of pipelined answers, when their turn has come.
    response.on('prefinish', () => this.#boundUnread(response));
    return true;
  }

  /** The body of this request is read by its function: it may take as long as it makes progress. @param onBroken it can't be read any further */
  streams(response: ServerResponse, onBroken: BrokenBody): void {
    this.#streamed.set(response, onBroken);
  }

  /** Connections that are open. */
  get count(): number {
    return this.#all.size;
  }

  /** Whether answers to earlier requests of that connection are still to be given. */
  isBusy(socket: Socket): boolean {
    return this.#of(socket).open.length > 0;
  }

  /** What follows on the connection of this request is not read as a request; its answer is to carry `Connection: close`. */
  closeAfter(request: IncomingMessage): void {
    const connection = this.#of(request.socket);
    if (connection.state === 'reading') connection.state = 'closing';
  }

  /** A request that takes the connection over, which Node.js has let go of by now: the answers before it are given, then this one. */
  refuse(socket: Socket, error: HearthError): void {
    const connection = this.#of(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      for (const response of [...connection.open]) response.emit('close');
    });
    socket.resume();
    this.#endWith(connection, error);
  }

  #of(socket: Socket): Connection {
    let connection = this.#bySocket.get(socket);
    if (!connection) {
      connection = { socket, open: [], served: false, state: 'reading', lastWords: null };
      this.#bySocket.set(socket, connection);
    }
    return connection;
  }

  #onConnection(socket: Socket): void {
    const connection = this.#of(socket);
    this.#all.add(connection);
    socket.on('close', () => this.#all.delete(connection));
    socket.on('end', () => probe(connection));
    if (this.#all.size > this.#settings.limit) this.#refuseOneTooMany(connection);
  }

  #refuseOneTooMany(connection: Connection): void {
    const now = performance.now();
    if (now - this.#madeRoomAt > MAKE_ROOM_INTERVAL_MS) {
      this.#madeRoomAt = now;
      // Those that wait for a next request may be ended at any time (RFC 9112 §9.3.1); whoever comes next finds room.
      for (const { served, open, socket } of this.#all) if (served && open.length === 0) socket.destroy();
    }
    connection.state = 'ending';
    if (this.#refusals >= MAX_REFUSALS) {
      connection.socket.destroy();
      return;
    }
    this.#refusals++;
    connection.socket.on('close', () => {
      this.#refusals--;
    });
    endPolitely(
      connection.socket,
      new HearthError(
        'gateway_full',
        `The gateway has ${this.#settings.limit} connections, and takes no more. Try again, or raise gateway.max_connections.`,
        {
          retryAfter: 1,
        },
      ),
    );
  }

  #onAnswered(connection: Connection, response: ServerResponse): void {
    const index = connection.open.indexOf(response);
    if (index < 0) return;
    connection.open.splice(index, 1);
    const kind = response.headersSent ? Math.trunc(response.statusCode / 100) : 0;
    this.answered[kind] = (this.answered[kind] as number) + 1;
    connection.served = true;
    if (connection.open.length === 0 && connection.lastWords) endPolitely(connection.socket, connection.lastWords);
  }

  /** Nobody else has a clock for an answer that is complete and that its caller doesn't read, or reads at a trickle. */
  #boundUnread(response: ServerResponse): void {
    if (response.writableLength === 0) return;
    const { unreadMs, minReadBytesPerS } = this.#settings;
    const cut = (): unknown => response.destroy();
    response.setTimeout(unreadMs, cut);
    const timer = setTimeout(cut, Math.min(unreadMs + (1000 * response.writableLength) / minReadBytesPerS, LONGEST_TIMER_MS));
    response.once('close', () => clearTimeout(timer));
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && this.#isStreaming(socket)) return;
    // Bytes behind a request with `Connection: close` are to be ignored (RFC 9112 §9.6).
    if (error.code !== 'HPE_CLOSED_CONNECTION') this.#endWith(this.#of(socket), clientProblem(error), error.code === 'HPE_INVALID_EOF_STATE');
  }

  /** Node.js asks once for each request. */
  #isStreaming(socket: Socket): boolean {
    const last = this.#of(socket).open.at(-1);
    return last !== undefined && !last.req.complete && this.#streamed.has(last);
  }

  /** Node.js tells of an error again for every piece that comes behind it: the first one counts. */
  #endWith(connection: Connection, problem: HearthError, brokenOff = false): void {
    if (connection.state === 'ending') return;
    connection.state = 'ending';
    const last = connection.open.at(-1);
    if (last && !last.req.complete) {
      const tell = this.#streamed.get(last);
      if (tell) {
        tell(problem, brokenOff);
        return;
      }
      // The error is in the body of the last request. One that is answered already ends the connection by itself.
      if (last.headersSent) return;
      connection.open.pop();
    }
    if (connection.open.length === 0) endPolitely(connection.socket, problem);
    else connection.lastWords = problem;
  }
}

/**
 * The caller has ended its side: it may wait for the answer, or be gone. Only bytes tell: a machine whose program has closed the connection answers
 * them with a reset, which shows when more are sent, and upon which the invocation is cancelled. Interim answers may be sent to anybody who speaks
 * HTTP/1.1, more than one too (RFC 9110 §15.2).
 */
function probe(connection: Connection, nextMs = FIRST_PROBE_MS): void {
  const first = connection.open[0];
  // Of an answer that has begun, the next piece tells.
  if (!first || first.headersSent || first.req.httpVersionMinor === 0) return;
  first.writeContinue();
  const timer = setTimeout(() => probe(connection, Math.min(2 * nextMs, LAST_PROBE_MS)), nextMs);
  first.once('close', () => clearTimeout(timer));
}

/** Says it and ends our side. What still comes is dropped for a moment: closing at once would make the kernel reset the connection, and the words be lost. */
function endPolitely(socket: Socket, problem: HearthError): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(rawProblem(problem));
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

/** What could not be read as a request, in our words. Codes are those of Node's parser (llhttp). */
function clientProblem(error: NodeJS.ErrnoException): HearthError {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return new HearthError('headers_too_large', 'The request line and headers are larger than this gateway takes.');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new HearthError('body_too_large', 'The extensions of a chunk are larger than this gateway takes.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HearthError('request_timeout', 'The request did not arrive in time.');
    case 'HPE_INVALID_EOF_STATE':
      return new HearthError('malformed_request', 'The connection was ended before the request was complete.');
    case 'HPE_PAUSED_H2_UPGRADE':
      return new HearthError('http_version', 'This gateway speaks HTTP/1.1 and HTTP/1.0, not HTTP/2.');
    default:
      return new HearthError('malformed_request', `The request could not be read: ${error.message.replace(/^Parse Error: /, '')}.`);
  }
}
