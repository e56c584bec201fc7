import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { HearthError } from '../errors.ts';
import type { BodyReader, BodySource } from '../scheduler/body-feed.ts';
import type { Invocation, ReplySink } from '../scheduler/invocation.ts';
import type { HttpReply } from './http-reply.ts';

/** What a caller sends before its WebSocket was accepted is kept up to here; one that keeps to RFC 6455 sends nothing. Bytes. */
const MAX_EARLY_BYTES = 64 * 1024;
/** For the caller to end its side after the function has ended the other. */
const LINGER_MS = 5000;

/**
 * The connection of one WebSocket handshake: `asked → open → over`. Until the function accepts, it is an ordinary request that may be answered as any other;
 * from then on bytes pass both ways and mean nothing to us.
 */
export class Tunnel implements ReplySink, BodySource {
  readonly #socket: Socket;
  readonly #response: ServerResponse;
  readonly #reply: HttpReply;
  readonly #onHangUp: () => void;
  #state: 'asked' | 'open' | 'over' = 'asked';
  #reader: BodyReader | null = null;
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #callerEnded = false;
  #timer: NodeJS.Timeout | null = null;

  /**
   * @param head what came behind the handshake
   * @param reply for answers that don't accept
   * @param onHangUp the connection of an open one is gone before the function had ended it
   */
  constructor(request: IncomingMessage, response: ServerResponse, head: Buffer, reply: HttpReply, onHangUp: () => void) {
    this.#socket = request.socket;
    this.#response = response;
    this.#reply = reply;
    this.#onHangUp = onHangUp;
    if (head.length > 0) this.#receive(head);
    const { socket } = request;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => this.endCaller());
    socket.on('close', () => this.#closed());
  }

  // As where the answer goes

  reply(invocation: Invocation, status: number, headers: readonly string[], body: Buffer): void {
    this.#reply.reply(invocation, status, headers, body);
  }

  start(invocation: Invocation, status: number, headers: readonly string[]): void {
    if (status !== 101) {
      this.#reply.start(invocation, status, headers);
      return;
    }
    this.#reply.accept(invocation, headers);
    this.#state = 'open';
    this.#response.detachSocket(this.#socket);
  }

  write(chunk: Buffer): boolean {
    if (this.#state === 'asked') return this.#reply.write(chunk);
    return this.#socket.writable ? this.#socket.write(chunk) : true;
  }

  onceDrained(callback: () => void): void {
    if (this.#state === 'asked') {
      this.#reply.onceDrained(callback);
      return;
    }
    const done = (): void => {
      this.#socket.off('drain', done).off('close', done);
      callback();
    };
    this.#socket.on('drain', done).on('close', done);
  }

  end(): void {
    if (this.#state === 'asked') {
      this.#reply.end();
      return;
    }
    this.#state = 'over';
    this.#drop();
    this.#socket.end();
    this.#timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
  }

  fail(invocation: Invocation, error: HearthError): void {
    if (this.#state === 'asked') this.#reply.fail(invocation, error);
    else {
      this.#state = 'over';
      this.#socket.destroy();
    }
  }

  // As what the caller sends

  open(reader: BodyReader): void {
    this.#reader = reader;
    this.#socket.resume();
    for (const chunk of this.#early.splice(0)) reader.data(chunk);
    if (this.#callerEnded) reader.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#drop();
  }

  // As a connection

  /** As if the caller had ended its side: the function is to come to an end. */
  endCaller(): void {
    if (this.#callerEnded) return;
    this.#callerEnded = true;
    this.#reader?.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    if (this.#callerEnded || this.#state === 'over') return;
    if (this.#reader) {
      this.#reader.data(chunk);
      return;
    }
    this.#early.push(chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes > MAX_EARLY_BYTES) this.#socket.pause();
  }

  /** What still comes is of no use, but has to be read for the end to be seen. */
  #drop(): void {
    this.#reader = null;
    this.#early = [];
    if (this.#state !== 'asked') this.#socket.resume();
  }

  #closed(): void {
    if (this.#timer) clearTimeout(this.#timer);
    const state = this.#state;
    this.#state = 'over';
    if (state === 'open') {
      this.endCaller();
      this.#onHangUp();
    }
    // Whoever counts what stands open on a connection has to hear it from the answer, which has let go of it.
    if (state !== 'asked') this.#response.emit('close');
  }
}
