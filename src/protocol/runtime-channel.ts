import type { Duplex } from 'node:stream';
import { encodeBody, encodeFrame, encodeFramePair, FrameDecoder, FromRuntime, PROTOCOL_VERSION, ProtocolError, ToRuntime } from './frame.ts';
import type {
  CallFailedMessage,
  CallMessage,
  CallReplyMessage,
  ExitedMessage,
  HelloMessage,
  InvokeMessage,
  LoadMessage,
  ReadyMessage,
  ReplyHeadMessage,
  RuntimeErrorMessage,
  Style,
} from './messages.ts';
import { parseCall, parseCredit, parseExited, parseHello, parseReady, parseReplyHead, parseRuntimeError, parseStreamOpen } from './parse-message.ts';

/** Up to here a request body is copied beside its head, which is cheaper than two buffers in one write. */
const SMALL_BODY_BYTES = 16 * 1024;
/** Above so many bytes that the runtime hasn't read, nothing more is read from it if what it sends makes us answer. */
const MAX_UNREAD_BYTES = 1024 * 1024;

/** What a runtime says, parsed. Buffers are views into what was read. */
export interface RuntimeListener {
  /** Whether an answer of that invocation is still wanted: frames of others are dropped unread, for a hostile runtime could send them without end. */
  awaits(invocation: number): boolean;
  onHello(message: HelloMessage): void;
  onReady(message: ReadyMessage): void;
  onLoadFailed(error: RuntimeErrorMessage): void;
  onLog(invocation: number, stream: 'stdout' | 'stderr', chunk: Buffer): void;
  onReplyHead(invocation: number, head: ReplyHeadMessage): void;
  onReplyBody(invocation: number, chunk: Buffer): void;
  onReplyEnd(invocation: number): void;
  onFailed(invocation: number, error: RuntimeErrorMessage): void;
  onExited(invocation: number, exit: ExitedMessage): void;
  /** So many bytes of its streamed body have been consumed. The invocation may be over. */
  onInvokeCredit(invocation: number, bytes: number): void;
  /** @param service one that Load named; undefined: the connection is for the reply endpoint */
  onStreamOpen(stream: number, service: string | undefined): void;
  onStreamData(stream: number, chunk: Buffer): void;
  onStreamClose(stream: number): void;
  /** The inner end sends no more. */
  onStreamEnd(stream: number): void;
  /** So many bytes have been delivered inside. */
  onStreamCredit(stream: number, bytes: number): void;
  /** Of an invocation that was; it may be over. */
  onCall(call: number, message: CallMessage): void;
  onCallBody(call: number, chunk: Buffer): void;
  /** The channel has ended, while the sandbox may live on. */
  onChannelEnd(): void;
  /** The runtime broke the protocol: nothing more will be reported; the sandbox is to be killed. */
  onProtocolError(error: ProtocolError): void;
}

/** The platform's end of one sandbox's channel (docs/protocol.md): parses what comes, encodes what goes. Knows nothing of scheduling. */
export class RuntimeChannel {
  readonly #socket: Duplex;
  readonly #listener: RuntimeListener;
  #nextInvocation = 1;
  #lastStream = 0;
  #lastCall = 0;
  #helloSeen = false;
  /** What was loaded; null before. */
  #style: Style | null = null;
  #services: ReadonlySet<string> | null = null;
  #loadAnswered = false;
  #broken = false;
  #heldBack = false;
  #pauses = 0;
  #corked = false;
  readonly #uncork = (): void => {
    this.#corked = false;
    this.#socket.uncork();
  };

  constructor(socket: Duplex, listener: RuntimeListener) {
    this.#socket = socket;
    this.#listener = listener;
    const decoder = new FrameDecoder((type, id, payload) => this.#dispatch(type, id, payload));
    socket.on('data', (chunk: Buffer) => {
      if (this.#broken) return;
      try {
        decoder.push(chunk);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.#broken = true;
        listener.onProtocolError(error);
      }
    });
    // What it means is told by the end.
    socket.on('error', () => undefined);
    socket.once('close', () => listener.onChannelEnd());
    // Each connection carried over the channel may wait for it to drain.
    socket.setMaxListeners(0);
  }

  load(message: Omit<LoadMessage, 'codeLength'>, code: Buffer): void {
    this.#style = message.style;
    if (message.services) this.#services = new Set(message.services.map(({ name }) => name));
    this.#write(encodeFrame(ToRuntime.Load, 0, JSON.stringify({ ...message, codeLength: code.length })));
    for (const frame of encodeBody(ToRuntime.LoadCode, 0, code)) this.#write(frame);
  }

  /** A piece of the bundle file that Load announced. @returns false when the socket asks to wait; see `drained` */
  loadBundle(chunk: Uint8Array): boolean {
    let ok = true;
    for (const frame of encodeBody(ToRuntime.LoadBundle, 0, chunk)) ok = this.#write(frame);
    return ok;
  }

  /** Resolves when the socket takes more, or never will. */
  drained(): Promise<void> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      if (socket.destroyed || !socket.writable) return resolve();
      const done = () => {
        socket.off('drain', done).off('close', done);
        resolve();
      };
      socket.once('drain', done).once('close', done);
    });
  }

  /** @returns the id under which frames of this invocation will be reported */
  invoke(message: InvokeMessage, body: Buffer | null): number {
    const id = this.#nextInvocation++;
    const head = JSON.stringify(message);
    if (body !== null && body.length > 0 && body.length <= SMALL_BODY_BYTES) {
      this.#write(encodeFramePair(ToRuntime.Invoke, ToRuntime.InvokeBody, id, head, body));
      return id;
    }
    this.#write(encodeFrame(ToRuntime.Invoke, id, head));
    if (body !== null) for (const frame of encodeBody(ToRuntime.InvokeBody, id, body)) this.#write(frame);
    return id;
  }

  /** A piece of a body that Invoke announced no length for. */
  invokeBody(id: number, chunk: Uint8Array): void {
    for (const frame of encodeBody(ToRuntime.InvokeBody, id, chunk)) this.#write(frame);
  }

  /** Nothing more of that body comes. */
  invokeEnd(id: number): void {
    this.#write(encodeFrame(ToRuntime.InvokeEnd, id));
  }

  /** So many bytes of the reply have been given to the caller of a WebSocket. */
  replyCredit(id: number, bytes: number): void {
    this.#write(encodeFrame(ToRuntime.ReplyCredit, id, encodeCredit(bytes)));
  }

  cancel(id: number, reason: string): void {
    this.#write(encodeFrame(ToRuntime.Cancel, id, JSON.stringify({ reason })));
  }

  shutdown(): void {
    this.#write(encodeFrame(ToRuntime.Shutdown, 0));
  }

  /** @returns false when the socket asks to wait; see `onDrain` */
  streamData(stream: number, chunk: Uint8Array): boolean {
    let ok = true;
    for (const frame of encodeBody(ToRuntime.StreamData, stream, chunk)) ok = this.#write(frame);
    return ok;
  }

  streamClose(stream: number): void {
    this.#write(encodeFrame(ToRuntime.StreamClose, stream));
    this.#holdBack();
  }

  /** Nothing more comes from our side; what the inner end still sends is heard. */
  streamEnd(stream: number): void {
    this.#write(encodeFrame(ToRuntime.StreamEnd, stream));
  }

  /** So many bytes have been delivered to the service. */
  streamCredit(stream: number, bytes: number): void {
    this.#write(encodeFrame(ToRuntime.StreamCredit, stream, encodeCredit(bytes)));
    this.#holdBack();
  }

  callReply(call: number, message: Omit<CallReplyMessage, 'bodyLength'>, body: Uint8Array): void {
    this.#write(encodeFrame(ToRuntime.CallReply, call, JSON.stringify({ ...message, bodyLength: body.byteLength } satisfies CallReplyMessage)));
    for (const frame of encodeBody(ToRuntime.CallReplyBody, call, body)) this.#write(frame);
    this.#holdBack();
  }

  callFailed(call: number, message: CallFailedMessage): void {
    this.#write(encodeFrame(ToRuntime.CallFailed, call, JSON.stringify(message)));
    this.#holdBack();
  }

  /** A runtime that opens and calls and doesn't read would else fill our memory with answers. */
  #holdBack(): void {
    if (this.#heldBack || this.#socket.writableLength < MAX_UNREAD_BYTES) return;
    this.#heldBack = true;
    this.pause();
    this.onceDrained(() => {
      this.#heldBack = false;
      this.resume();
    });
  }

  /** Bytes that the runtime has not read yet. */
  get unreadBytes(): number {
    return this.#socket.writableLength;
  }

  onceDrained(callback: () => void): void {
    this.#socket.once('drain', callback);
  }

  /** Stops reading until as many `resume` have come: some caller reads slower than the function writes. */
  pause(): void {
    if (this.#pauses++ === 0) this.#socket.pause();
  }

  resume(): void {
    if (--this.#pauses === 0) this.#socket.resume();
  }

  /** Ends our half; the runtime exits upon it. */
  end(): void {
    this.#socket.end();
  }

  /** Gathers what one turn of the event loop has for this sandbox into one system call, by which the runtime is woken once. */
  #write(frame: Buffer): boolean {
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      setImmediate(this.#uncork);
    }
    return this.#socket.write(frame);
  }

  #dispatch(type: number, id: number, payload: Buffer): void {
    const listener = this.#listener;
    if (!this.#helloSeen && type !== FromRuntime.Hello) throw new ProtocolError(`frame of type 0x${type.toString(16)} before Hello`);
    switch (type) {
      case FromRuntime.ReplyHead:
        if (listener.awaits(this.#ofHandler(id))) listener.onReplyHead(id, parseReplyHead(payload));
        break;
      case FromRuntime.ReplyBody:
        listener.onReplyBody(this.#ofHandler(id), payload);
        break;
      case FromRuntime.ReplyEnd:
        listener.onReplyEnd(this.#ofHandler(id));
        break;
      case FromRuntime.InvokeCredit:
        listener.onInvokeCredit(this.#ofHandler(id), parseCredit(payload));
        break;
      case FromRuntime.LogOut:
        listener.onLog(id === 0 ? 0 : this.#known(id), 'stdout', payload);
        break;
      case FromRuntime.LogErr:
        listener.onLog(id === 0 ? 0 : this.#known(id), 'stderr', payload);
        break;
      case FromRuntime.Failed:
        if (listener.awaits(this.#known(id))) listener.onFailed(id, parseRuntimeError(payload));
        break;
      case FromRuntime.Exited:
        this.#only('script', type);
        if (listener.awaits(this.#known(id))) listener.onExited(id, parseExited(payload));
        break;
      case FromRuntime.StreamData:
        listener.onStreamData(this.#knownStream(id), payload);
        break;
      case FromRuntime.StreamOpen:
        this.#streamOpen(id, parseStreamOpen(payload));
        break;
      case FromRuntime.StreamClose:
        listener.onStreamClose(this.#knownStream(id));
        break;
      case FromRuntime.StreamEnd:
        listener.onStreamEnd(this.#knownStream(id));
        break;
      case FromRuntime.StreamCredit:
        listener.onStreamCredit(this.#knownStream(id), parseCredit(payload));
        break;
      case FromRuntime.Call: {
        if (id <= this.#lastCall) throw new ProtocolError(`call ${id} was made before`);
        this.#lastCall = id;
        const message = parseCall(payload);
        this.#known(message.invocation);
        listener.onCall(id, message);
        break;
      }
      case FromRuntime.CallBody:
        if (id === 0 || id > this.#lastCall) throw new ProtocolError(`frame for call ${id}, which never was`);
        listener.onCallBody(id, payload);
        break;
      case FromRuntime.Hello:
        this.#hello(parseHello(payload));
        break;
      case FromRuntime.Ready:
        this.#answersLoad();
        listener.onReady(parseReady(payload));
        break;
      case FromRuntime.LoadFailed:
        this.#answersLoad();
        listener.onLoadFailed(parseRuntimeError(payload));
        break;
      default:
        throw new ProtocolError(`frame of unknown type 0x${type.toString(16)}`);
    }
  }

  #hello(message: HelloMessage): void {
    if (this.#helloSeen) throw new ProtocolError('second Hello');
    if (message.protocol !== PROTOCOL_VERSION)
      throw new ProtocolError(`the runtime speaks protocol ${message.protocol}, the platform ${PROTOCOL_VERSION}`);
    this.#helloSeen = true;
    this.#listener.onHello(message);
  }

  #streamOpen(id: number, service: string | undefined): void {
    if (service === undefined) this.#only('script', FromRuntime.StreamOpen);
    else if (!this.#services?.has(service)) throw new ProtocolError('a connection to a service that Load did not name');
    if (id <= this.#lastStream) throw new ProtocolError(`stream ${id} was opened before`);
    this.#lastStream = id;
    this.#listener.onStreamOpen(id, service);
  }

  /** Ready or LoadFailed come once, after Load. */
  #answersLoad(): void {
    if (this.#style === null) throw new ProtocolError('an answer to Load before Load');
    if (this.#loadAnswered) throw new ProtocolError('a second answer to Load');
    this.#loadAnswered = true;
  }

  #only(style: Style, type: number): void {
    if (this.#style !== style) throw new ProtocolError(`frame of type 0x${type.toString(16)}, which belongs to the style ${style}`);
  }

  #ofHandler(id: number): number {
    if (this.#style === null || this.#style === 'script') throw new ProtocolError('a reply by frames, which do not belong to the style script');
    return this.#known(id);
  }

  #known(id: number): number {
    if (id === 0 || id >= this.#nextInvocation) throw new ProtocolError(`frame for invocation ${id}, which never was`);
    return id;
  }

  #knownStream(id: number): number {
    if (id === 0 || id > this.#lastStream) throw new ProtocolError(`frame for stream ${id}, which never was`);
    return id;
  }
}

function encodeCredit(bytes: number): Buffer {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(bytes, 0);
  return payload;
}
