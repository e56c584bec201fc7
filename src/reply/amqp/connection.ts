import type { Duplex } from 'node:stream';
import type { ReplyInbox } from '../endpoint.ts';
import type { ReplyLog } from '../reply-log.ts';
import { AmqpError } from './amqp-error.ts';
import { Channels } from './channels.ts';
import type { ClientMethod } from './client-methods.ts';
import { decodeMethod } from './decode-method.ts';
import { FRAME_HEARTBEAT, FRAME_METHOD, FrameParser } from './frame-parser.ts';
import { Heartbeat } from './heartbeat.ts';
import { checkStartOk, checkTuneOk } from './negotiation.ts';
import { Outbox } from './outbox.ts';
import { CONNECTION_CLOSE_OK, connectionClose, HEARTBEAT, OPEN_OK, PROTOCOL_HEADER, START, TUNE, UPDATE_SECRET_OK } from './server-frames.ts';

/** From the first byte to connection.open. */
const HANDSHAKE_MS = 10_000;
/** For the answer to our connection.close, and for the stream's end after that. */
const CLOSING_MS = 5_000;
/** Clients tell of themselves in start-ok, before frame sizes are agreed on; RabbitMQ allows as much. */
const HANDSHAKE_FRAME_BYTES = 8192;

/**
 * One connection of a client (section 2.2.4). Its states, and what moves it on:
 *
 *     header ─(AMQP 0 0 9 1)→ start ─(start-ok)→ tune ─(tune-ok)→ opening ─(open)→ open
 *     start, tune, opening, open ─(our close)→ closing ─(close-ok)→ ended
 *     any ─(client's close; wrong header; silence; the stream's end)→ ended
 */
type State = 'header' | 'start' | 'tune' | 'opening' | 'open' | 'closing' | 'ended';

export interface ConnectionOptions {
  /** Bytes. */
  maxMessageBytes: number;
  /** Why the connection is refused at connection.open; undefined: it isn't. */
  refusal: string | undefined;
}

export class Connection {
  readonly #stream: Duplex;
  readonly #options: ConnectionOptions;
  readonly #log: ReplyLog;
  readonly #outbox: Outbox;
  readonly #parser = new FrameParser(HANDSHAKE_FRAME_BYTES);
  readonly #channels: Channels;
  #state: State = 'header';
  #header: Buffer = Buffer.alloc(0);
  #heartbeat: Heartbeat | undefined;
  #limit: NodeJS.Timeout | undefined;
  #classId = 0;
  #methodId = 0;

  /** @param onGone called once, when the stream is closed and nothing of the connection is left */
  constructor(stream: Duplex, inbox: ReplyInbox, options: ConnectionOptions, log: ReplyLog, onGone: () => void) {
    this.#stream = stream;
    this.#options = options;
    this.#log = log;
    this.#outbox = new Outbox(stream);
    this.#channels = new Channels(inbox, options.maxMessageBytes, (frame) => this.#outbox.add(frame));
    this.#limitTo(HANDSHAKE_MS, 'the handshake took too long');
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.once('end', () => this.#end());
    stream.once('close', () => {
      this.#state = 'ended';
      this.#heartbeat?.stop();
      clearTimeout(this.#limit);
      this.#channels.dispose();
      onGone();
    });
  }

  /** Tells the client that the server closes, and ends the stream when it has answered or had its time. */
  forceClose(): void {
    this.#classId = 0;
    this.#methodId = 0;
    this.#fail(new AmqpError('CONNECTION_FORCED', 'the platform is shutting down'));
    this.#flush();
  }

  #receive(chunk: Buffer): void {
    if (this.#state === 'ended') return;
    this.#heartbeat?.received();
    try {
      const frames = this.#state === 'header' ? this.#receiveHeader(chunk) : chunk;
      if (frames.length > 0) this.#parser.push(frames, (type, channel, payload) => this.#receiveFrame(type, channel, payload));
    } catch (error) {
      this.#classId = 0;
      this.#methodId = 0;
      this.#fail(error);
      // Where the next frame starts is not known any more: close-ok could not be found in what follows.
      this.#end();
    }
    this.#flush();
  }

  /** @returns what came after the header */
  #receiveHeader(chunk: Buffer): Buffer {
    const had = this.#header.length;
    const wanted = PROTOCOL_HEADER.length;
    this.#header = Buffer.concat([this.#header, chunk.subarray(0, wanted - had)]);
    if (!this.#header.equals(PROTOCOL_HEADER.subarray(0, this.#header.length))) {
      this.#outbox.add(PROTOCOL_HEADER);
      this.#end();
      return Buffer.alloc(0);
    }
    if (this.#header.length === wanted) {
      this.#outbox.add(START);
      this.#state = 'start';
    }
    return chunk.subarray(wanted - had);
  }

  #receiveFrame(type: number, channel: number, payload: Buffer): void {
    if (this.#state === 'ended') return;
    try {
      if (type === FRAME_HEARTBEAT) {
        if (channel !== 0) throw new AmqpError('FRAME_ERROR', 'a heartbeat on a channel');
        return;
      }
      if (type !== FRAME_METHOD) {
        if (this.#state === 'closing') return;
        if (this.#state !== 'open' || channel === 0) throw new AmqpError('UNEXPECTED_FRAME', 'content on a channel that is not open');
        this.#classId = 60;
        this.#methodId = 40;
        this.#channels.content(type, channel, payload);
        return;
      }
      if (payload.length < 4) throw new AmqpError('FRAME_ERROR', 'a method frame without a method');
      this.#classId = payload.readUInt16BE(0);
      this.#methodId = payload.readUInt16BE(2);
      this.#receiveMethod(channel, payload.subarray(4));
    } catch (error) {
      this.#fail(error);
    }
  }

  #receiveMethod(channel: number, args: Buffer): void {
    const ofConnection = this.#classId === 10;
    if (this.#state === 'closing') {
      if (!ofConnection || channel !== 0) return;
      if (this.#methodId === 51) this.#end();
      else if (this.#methodId === 50) this.#outbox.add(CONNECTION_CLOSE_OK);
      return;
    }
    if (ofConnection !== (channel === 0)) {
      throw new AmqpError('COMMAND_INVALID', `method ${this.#classId}.${this.#methodId} on channel ${channel}`);
    }
    if (!ofConnection) {
      if (this.#state !== 'open') throw new AmqpError('COMMAND_INVALID', 'a channel before the connection is open');
      this.#channels.method(this.#classId, this.#methodId, channel, args);
      return;
    }
    this.#connectionMethod(decodeMethod(this.#classId, this.#methodId, args));
  }

  /** @throws AmqpError */
  #connectionMethod(method: ClientMethod): void {
    if (method.name === 'connection.close') {
      this.#outbox.add(CONNECTION_CLOSE_OK);
      this.#end();
    } else if (method.name === 'connection.start-ok' && this.#state === 'start') {
      checkStartOk(method);
      this.#outbox.add(TUNE);
      this.#state = 'tune';
    } else if (method.name === 'connection.tune-ok' && this.#state === 'tune') {
      const { channelMax, frameMax, heartbeat } = checkTuneOk(method);
      this.#parser.maxFrameBytes = frameMax;
      this.#channels.max = channelMax;
      if (heartbeat > 0) this.#beat(heartbeat);
      this.#state = 'opening';
    } else if (method.name === 'connection.open' && this.#state === 'opening') {
      if (this.#options.refusal !== undefined) throw new AmqpError('NOT_ALLOWED', this.#options.refusal);
      if (method.virtualHost !== '/') throw new AmqpError('NOT_ALLOWED', `vhost '${method.virtualHost}' not found: there is '/' only`);
      clearTimeout(this.#limit);
      this.#outbox.add(OPEN_OK);
      this.#state = 'open';
    } else if (method.name === 'connection.update-secret' && this.#state === 'open') {
      this.#outbox.add(UPDATE_SECRET_OK);
    } else {
      throw new AmqpError('COMMAND_INVALID', `${method.name} is not in order here`);
    }
  }

  #flush(): void {
    if (this.#outbox.flush()) this.#heartbeat?.sent();
  }

  #beat(seconds: number): void {
    const send = (): void => {
      this.#outbox.add(HEARTBEAT);
      this.#flush();
    };
    this.#heartbeat = new Heartbeat(seconds, send, () => {
      this.#log.debug({ seconds }, 'a connection to the reply endpoint was silent for two heartbeat intervals');
      this.#stream.destroy();
    });
  }

  /** Closes the connection for what went wrong. An error of another kind than AMQP's is ours: the client learns no more than that. */
  #fail(error: unknown): void {
    let told: AmqpError;
    if (error instanceof AmqpError) {
      told = error;
      this.#log.debug({ reply: error.message }, 'the reply endpoint closes a connection');
    } else {
      told = new AmqpError('INTERNAL_ERROR', 'the reply endpoint met an error that it did not expect');
      this.#log.warn({ err: error }, told.message);
    }
    if (this.#state === 'closing' || this.#state === 'ended') return;
    if (this.#state === 'header') {
      this.#end();
      return;
    }
    this.#outbox.add(connectionClose(told, this.#classId, this.#methodId));
    this.#state = 'closing';
    this.#channels.dispose();
    this.#limitTo(CLOSING_MS, 'the client did not answer connection.close');
  }

  /** No more is read or said; the stream has a while to end by itself. */
  #end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#flush();
    this.#heartbeat?.stop();
    this.#channels.dispose();
    this.#stream.end();
    this.#limitTo(CLOSING_MS, 'the client did not close its side');
  }

  #limitTo(milliseconds: number, reason: string): void {
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => {
      this.#log.debug({ reason }, 'the reply endpoint cuts a connection');
      this.#stream.destroy();
    }, milliseconds);
    this.#limit.unref();
  }
}
