import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Duplex, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { encodeBody, encodeFrame, FrameDecoder, FromRuntime, STREAM_WINDOW_BYTES, ToRuntime } from '../../src/protocol/frame.ts';
import type { LoadMessage, ReplyHeadMessage, RuntimeErrorMessage } from '../../src/protocol/messages.ts';

const AGENT = fileURLToPath(new URL('../../runtimes/node/agent/main.mjs', import.meta.url));

/** What came back for one invocation, and how its body is sent. */
export class NodeCall {
  readonly id: number;
  readonly #agent: NodeAgent;
  head: ReplyHeadMessage | undefined;
  body = Buffer.alloc(0);
  failed: RuntimeErrorMessage | undefined;
  isOver = false;
  log = '';
  /** Of the streamed body, in all. */
  credited = 0;

  constructor(agent: NodeAgent, id: number) {
    this.#agent = agent;
    this.id = id;
  }

  /** InvokeBody, in one frame. */
  send(data: Buffer | string): void {
    this.#agent.send(ToRuntime.InvokeBody, this.id, data);
  }

  end(): void {
    this.#agent.send(ToRuntime.InvokeEnd, this.id);
  }

  cancel(): void {
    this.#agent.send(ToRuntime.Cancel, this.id, '{"reason":"client_gone"}');
  }

  /** So many bytes of the answer of a WebSocket have been delivered. */
  credit(bytes: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(bytes);
    this.#agent.send(ToRuntime.ReplyCredit, this.id, payload);
  }

  until(condition: () => boolean): Promise<void> {
    return this.#agent.until(condition);
  }

  /** Itself, once ReplyEnd or Failed has come. */
  async over(): Promise<this> {
    await this.until(() => this.isOver);
    return this;
  }
}

/** The real runtime of Node.js as a process of its own without isolation, and this test as its platform. Dispose of it with `await using`. */
export class NodeAgent {
  readonly child: ChildProcess;
  readonly #channel: Duplex;
  readonly #calls = new Map<number, NodeCall>();
  readonly #waiting = new Set<() => void>();
  #isReady = false;
  #loadFailed: RuntimeErrorMessage | undefined;
  #isClosed = false;
  #next = 1;
  /** What was written to descriptors 1 and 2. */
  output = '';

  private constructor() {
    this.child = spawn(process.execPath, [AGENT], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    this.#channel = this.child.stdio[3] as unknown as Duplex;
    const decoder = new FrameDecoder((type, id, payload) => this.#take(type, id, Buffer.from(payload)));
    this.#channel.on('data', (chunk: Buffer) => {
      decoder.push(chunk);
      this.#changed();
    });
    this.#channel.on('error', () => undefined);
    this.#channel.on('close', () => {
      this.#isClosed = true;
      this.#changed();
    });
    for (const stream of [this.child.stdout, this.child.stderr] as Readable[]) {
      stream.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
  }

  /** Resolves once the function, an ES module, is loaded; rejects with the message of LoadFailed. */
  static async load(source: string, settings: Partial<LoadMessage> = {}): Promise<NodeAgent> {
    const agent = new NodeAgent();
    const code = Buffer.from(source);
    const load = {
      function: 'example',
      style: 'handler',
      runtime: 'nodejs',
      codeLength: code.length,
      module: { format: 'module', web: false },
      layers: [],
      environment: {},
      concurrency: 16,
      streamListen: null,
      limits: {},
      ...settings,
    };
    agent.send(ToRuntime.Load, 0, JSON.stringify(load));
    for (const frame of encodeBody(ToRuntime.LoadCode, 0, code)) agent.#channel.write(frame);
    await agent.until(() => agent.#isReady || agent.#loadFailed !== undefined);
    if (agent.#loadFailed === undefined) return agent;
    await agent.exit();
    throw new Error(agent.#loadFailed.message);
  }

  /** @param invoke members of Invoke; without a `bodyLength` the body is streamed */
  call(invoke: Record<string, unknown> = {}): NodeCall {
    const call = new NodeCall(this, this.#next++);
    this.#calls.set(call.id, call);
    const message = {
      correlationId: `correlation-${call.id}`,
      instanceId: 'instance-1',
      verb: 'POST',
      path: '/example',
      rawPath: '/example',
      query: '',
      params: {},
      headers: ['Host', 'localhost'],
      scriptBody: null,
      bodyLength: null,
      deadline: Date.now() + 60_000,
      ...invoke,
    };
    this.send(ToRuntime.Invoke, call.id, JSON.stringify(message));
    return call;
  }

  send(type: number, id: number, payload: Buffer | string = ''): void {
    this.#channel.write(encodeFrame(type, id, payload));
  }

  /** Resolves once the condition holds; it is looked at whenever something came. Rejects when the channel has ended and it doesn't hold. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#isClosed) throw new Error(`the channel has ended: ${this.output}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** The exit code, or the signal, of the process. */
  async exit(): Promise<number | string> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'close');
    return this.child.exitCode ?? (this.child.signalCode as string);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#channel.destroy();
    this.child.kill('SIGKILL');
    await this.exit();
  }

  #changed(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #take(type: number, id: number, payload: Buffer): void {
    if (type === FromRuntime.Hello) return;
    if (type === FromRuntime.Ready) this.#isReady = true;
    else if (type === FromRuntime.LoadFailed) this.#loadFailed = JSON.parse(payload.toString()) as RuntimeErrorMessage;
    else if (id !== 0) this.#takeOf(this.#calls.get(id) as NodeCall, type, payload);
  }

  #takeOf(call: NodeCall, type: number, payload: Buffer): void {
    if (call.isOver) throw new Error(`a frame of type 0x${type.toString(16)} came after the end of ${call.id}`);
    if (type === FromRuntime.LogOut || type === FromRuntime.LogErr) call.log += payload.toString();
    else if (type === FromRuntime.InvokeCredit) call.credited += payload.readUInt32BE(0);
    else if (type === FromRuntime.ReplyHead) {
      if (call.head !== undefined) throw new Error('a second ReplyHead came');
      call.head = JSON.parse(payload.toString()) as ReplyHeadMessage;
    } else if (type === FromRuntime.ReplyBody) call.body = Buffer.concat([call.body, payload]);
    else if (type === FromRuntime.Failed) call.failed = JSON.parse(payload.toString()) as RuntimeErrorMessage;
    else if (type !== FromRuntime.ReplyEnd) throw new Error(`unexpected frame of type 0x${type.toString(16)}`);
    if (type === FromRuntime.Failed || type === FromRuntime.ReplyEnd) call.isOver = true;
  }
}

export { STREAM_WINDOW_BYTES as WINDOW };
