import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { encodeBody, encodeFrame, FrameDecoder, FromRuntime, ToRuntime } from '../../src/protocol/frame.ts';
import type {
  ExitedMessage,
  HelloMessage,
  InvokeMessage,
  LoadMessage,
  ReadyMessage,
  ReplyHeadMessage,
  RuntimeErrorMessage,
} from '../../src/protocol/messages.ts';

export const AGENT = fileURLToPath(new URL('../../runtimes/python/agent/__main__.py', import.meta.url));

/** The interpreters to test with: HEARTH_TEST_PYTHONS (paths, separated by colons), or the machine's python3. */
export const PYTHONS: readonly string[] = process.env.HEARTH_TEST_PYTHONS?.split(':').filter(Boolean) ?? ['python3'];

export interface Request extends Partial<Omit<InvokeMessage, 'bodyLength'>> {
  body?: Buffer | string;
  /** Its body comes by `write` and `end` of Running, and `body` is the first of it. */
  streamed?: boolean;
  /** False: nobody takes what it sends by a WebSocket. */
  credits?: boolean;
}

/** Everything that came back for one invocation. */
export interface Outcome {
  head: ReplyHeadMessage | undefined;
  pieces: Buffer[];
  failed: RuntimeErrorMessage | undefined;
  exited: ExitedMessage | undefined;
  stdout: Buffer;
  stderr: Buffer;
}

export interface Running {
  id: number;
  /** Resolves when ReplyEnd, Failed or Exited came; rejects when the channel ends before. */
  done: Promise<Outcome>;
  /** Resolves once that text stands in its standard output so far. */
  printed(text: string): Promise<void>;
  /** Resolves with the n-th piece of its reply (from 0) once that is there. */
  piece(n: number): Promise<Buffer>;
  /** The pieces of its reply so far. */
  pieces: readonly Buffer[];
  /** Resolves with its head once that is there. */
  head(): Promise<ReplyHeadMessage>;
  /** More of a streamed body. */
  write(data: Buffer | string): void;
  end(): void;
  /** So many bytes of a streamed body it has consumed. */
  credited(): number;
}

/** A connection that something in the sandbox made to the reply endpoint's address. */
export interface TestStream {
  id: number;
  write(data: Buffer | string): void;
  close(): void;
  received: Buffer;
  closed: boolean;
}

export interface AgentOptions {
  python: string;
  code: string;
  style: 'script' | 'handler';
  concurrency?: number;
  streamBody?: boolean;
  websocket?: boolean;
  environment?: Record<string, string>;
  layers?: string[];
  limits?: LoadMessage['limits'];
  listen?: boolean;
  /** The user to run as; needs root. */
  uid?: number;
  /** False: what comes on streams is counted by nobody. */
  keepStreamData?: boolean;
  /** Called when data came on a stream. */
  onStreamData?: (stream: TestStream) => void;
}

interface Entry {
  outcome: Outcome;
  stdout: Buffer[];
  stderr: Buffer[];
  credited: number;
  credits: boolean;
  resolve: (outcome: Outcome) => void;
  reject: (error: Error) => void;
}

/** The real Python runtime as a process of its own without isolation, and this test as its platform. Dispose of it with `await using`. */
export class Agent {
  readonly child: ChildProcess;
  readonly temporary: string;
  readonly streams: TestStream[] = [];
  hello: HelloMessage | undefined;
  ready: ReadyMessage | undefined;
  loadFailed: RuntimeErrorMessage | undefined;
  /** What was written to descriptors 1 and 2 of the sandbox itself. */
  output = '';
  /** LogOut and LogErr of no invocation. */
  unattributed = '';
  port = 0;
  readonly #channel: Duplex;
  readonly #entries = new Map<number, Entry>();
  readonly #waiting = new Set<() => void>();
  readonly #onStreamData: ((stream: TestStream) => void) | undefined;
  readonly #keepStreamData: boolean;
  #next = 1;
  #closed = false;

  private constructor(child: ChildProcess, temporary: string, options: AgentOptions) {
    this.child = child;
    this.temporary = temporary;
    this.#onStreamData = options.onStreamData;
    this.#keepStreamData = options.keepStreamData ?? true;
    this.#channel = child.stdio[3] as unknown as Duplex;
    const decoder = new FrameDecoder((type, id, payload) => this.#frame(type, id, Buffer.from(payload)));
    this.#channel.on('data', (chunk: Buffer) => {
      decoder.push(chunk);
      this.#changed();
    });
    this.#channel.on('error', () => undefined);
    this.#channel.on('close', () => {
      this.#closed = true;
      for (const entry of this.#entries.values()) entry.reject(new Error(`the channel ended; ${this.output}`));
      this.#entries.clear();
      this.#changed();
    });
    for (const stream of [child.stdout, child.stderr] as Readable[]) {
      stream.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
        this.#changed();
      });
    }
  }

  /** Starts the process without loading anything. */
  static async spawn(options: AgentOptions): Promise<Agent> {
    const temporary = await mkdtemp(join(tmpdir(), 'hearth-agent-'));
    if (options.uid !== undefined) await chown(temporary, options.uid, options.uid);
    const child = spawn(options.python, ['-I', '-S', '-B', AGENT], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: { TMPDIR: temporary, PATH: process.env.PATH ?? '' },
      cwd: temporary,
      detached: true,
      ...(options.uid === undefined ? {} : { uid: options.uid }),
    });
    const agent = new Agent(child, temporary, options);
    await agent.until(() => agent.hello !== undefined);
    return agent;
  }

  /** Starts it, loads the function and waits for Ready or LoadFailed. */
  static async load(options: AgentOptions): Promise<Agent> {
    const agent = await Agent.spawn(options);
    if (options.listen) agent.port = await freePort();
    const code = Buffer.from(options.code);
    const load: LoadMessage = {
      function: 'example',
      style: options.style,
      runtime: 'python',
      codeLength: code.length,
      layers: options.layers ?? [],
      environment: options.environment ?? {},
      concurrency: options.concurrency ?? 1,
      ...(options.streamBody ? { streamBody: true } : {}),
      ...(options.websocket ? { websocket: true } : {}),
      streamListen: options.listen ? { host: '127.0.0.1', port: agent.port, name: 'message_queue' } : null,
      limits: options.limits ?? {},
    };
    agent.send(ToRuntime.Load, 0, JSON.stringify(load));
    for (const frame of encodeBody(ToRuntime.LoadCode, 0, code)) agent.write(frame);
    await agent.until(() => agent.ready !== undefined || agent.loadFailed !== undefined);
    return agent;
  }

  invoke(request: Request = {}): Running {
    const id = this.#next++;
    const body = Buffer.from(request.body ?? '');
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const outcome: Outcome = {
      head: undefined,
      pieces: [],
      failed: undefined,
      exited: undefined,
      stdout: Buffer.alloc(0),
      stderr: Buffer.alloc(0),
    };
    const entry: Entry = { outcome, stdout: [], stderr: [], credited: 0, credits: request.credits ?? true, resolve, reject };
    this.#entries.set(id, entry);
    promise.catch(() => undefined);
    const { body: _, streamed, credits: __, ...given } = request;
    const message: InvokeMessage = {
      correlationId: `correlation-${id}`,
      instanceId: 'instance-1',
      verb: 'POST',
      path: '/example',
      rawPath: '/example',
      query: '',
      params: {},
      headers: ['Host', 'localhost', 'X-Correlation-Id', `correlation-${id}`],
      scriptBody: null,
      deadline: Date.now() + 60_000,
      ...given,
      bodyLength: streamed ? null : body.length,
    };
    const frames = [encodeFrame(ToRuntime.Invoke, id, JSON.stringify(message)), ...encodeBody(ToRuntime.InvokeBody, id, body)];
    this.write(Buffer.concat(frames));
    return {
      id,
      done: promise,
      printed: (text) => this.until(() => Buffer.concat(entry.stdout).includes(text)),
      piece: async (n) => {
        await this.until(() => outcome.pieces.length > n);
        return outcome.pieces[n] as Buffer;
      },
      pieces: outcome.pieces,
      head: async () => {
        await this.until(() => outcome.head !== undefined);
        return outcome.head as ReplyHeadMessage;
      },
      write: (data) => {
        for (const frame of encodeBody(ToRuntime.InvokeBody, id, Buffer.from(data))) this.write(frame);
      },
      end: () => this.send(ToRuntime.InvokeEnd, id),
      credited: () => entry.credited,
    };
  }

  async call(request: Request = {}): Promise<Outcome> {
    return this.invoke(request).done;
  }

  /** So many bytes of what it sends by a WebSocket have been taken. */
  creditReply(id: number, bytes: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(bytes, 0);
    this.send(ToRuntime.ReplyCredit, id, payload);
  }

  cancel(id: number): void {
    this.send(ToRuntime.Cancel, id, '{"reason":"test"}');
  }

  send(type: number, id: number, payload: Buffer | string = ''): void {
    this.write(encodeFrame(type, id, payload));
  }

  write(data: Buffer): void {
    this.#channel.write(data);
  }

  pauseReading(): void {
    this.#channel.pause();
  }

  resumeReading(): void {
    this.#channel.resume();
  }

  endChannel(): void {
    this.#channel.destroy();
  }

  /** Resolves once the condition holds; it is looked at whenever something came. Rejects when the channel has ended and it doesn't hold. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#closed && this.child.exitCode !== null) throw new Error(`the runtime exited with ${this.child.exitCode}: ${this.output}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      this.child.once('exit', resolve);
      await promise;
      this.child.off('exit', resolve);
    }
  }

  /** The exit code, or the signal, of the process. */
  async exit(): Promise<number | string> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
    return this.child.exitCode ?? (this.child.signalCode as string);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#channel.destroy();
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = once(this.child, 'exit');
      // First the tree by its own means (the channel's end), then whatever is left of the group.
      const timer = setTimeout(() => process.kill(-(this.child.pid as number), 'SIGKILL'), 2000);
      await gone;
      clearTimeout(timer);
    }
    await rm(this.temporary, { recursive: true, force: true });
  }

  #changed(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #frame(type: number, id: number, payload: Buffer): void {
    if (type === FromRuntime.InvokeCredit) {
      const entry = this.#entries.get(id);
      if (entry !== undefined) entry.credited += payload.readUInt32BE(0);
      return;
    }
    if (type >= FromRuntime.StreamOpen) {
      this.#streamFrame(type, id, payload);
      return;
    }
    if (id === 0) {
      this.#sandboxFrame(type, payload);
      return;
    }
    const entry = this.#entries.get(id);
    if (entry === undefined) throw new Error(`frame of type 0x${type.toString(16)} for ${id}, which is not running`);
    const { outcome } = entry;
    if (type === FromRuntime.LogOut) entry.stdout.push(payload);
    else if (type === FromRuntime.LogErr) entry.stderr.push(payload);
    else if (type === FromRuntime.ReplyHead) outcome.head = JSON.parse(payload.toString()) as ReplyHeadMessage;
    else if (type === FromRuntime.ReplyBody) {
      outcome.pieces.push(payload);
      if (outcome.head?.status === 101 && entry.credits) this.creditReply(id, payload.length);
    } else {
      if (type === FromRuntime.Failed) outcome.failed = JSON.parse(payload.toString()) as RuntimeErrorMessage;
      else if (type === FromRuntime.Exited) outcome.exited = JSON.parse(payload.toString()) as ExitedMessage;
      else if (type !== FromRuntime.ReplyEnd) throw new Error(`unexpected frame of type 0x${type.toString(16)}`);
      this.#entries.delete(id);
      outcome.stdout = Buffer.concat(entry.stdout);
      outcome.stderr = Buffer.concat(entry.stderr);
      entry.resolve(outcome);
    }
  }

  #sandboxFrame(type: number, payload: Buffer): void {
    if (type === FromRuntime.Hello) this.hello = JSON.parse(payload.toString()) as HelloMessage;
    else if (type === FromRuntime.Ready) this.ready = JSON.parse(payload.toString()) as ReadyMessage;
    else if (type === FromRuntime.LoadFailed) this.loadFailed = JSON.parse(payload.toString()) as RuntimeErrorMessage;
    else if (type === FromRuntime.LogOut || type === FromRuntime.LogErr) this.unattributed += payload.toString();
    else throw new Error(`unexpected frame of type 0x${type.toString(16)}`);
  }

  #streamFrame(type: number, id: number, payload: Buffer): void {
    if (type === FromRuntime.StreamOpen) {
      this.streams.push({
        id,
        received: Buffer.alloc(0),
        closed: false,
        write: (data) => this.send(ToRuntime.StreamData, id, data),
        close: () => this.send(ToRuntime.StreamClose, id),
      });
      return;
    }
    const stream = this.streams.find((one) => one.id === id);
    if (stream === undefined) throw new Error(`stream ${id} was never opened`);
    if (type === FromRuntime.StreamClose) stream.closed = true;
    else {
      if (this.#keepStreamData) stream.received = Buffer.concat([stream.received, payload]);
      this.#onStreamData?.(stream);
    }
  }
}

export function text(outcome: Outcome): string {
  return Buffer.concat(outcome.pieces).toString();
}

export function json(outcome: Outcome): unknown {
  return JSON.parse(text(outcome));
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  server.close();
  await once(server, 'close');
  return address.port;
}
