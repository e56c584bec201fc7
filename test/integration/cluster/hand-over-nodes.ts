import { brokerAddresses } from '../../../src/amqp/broker-address.ts';
import { BrokerConnection } from '../../../src/amqp/broker-connection.ts';
import { createHandOver, type HandOvers } from '../../../src/cluster/hand-over/create-hand-over.ts';
import type { HearthError } from '../../../src/errors.ts';
import { Invocation, type InvocationInput, type ReplySink } from '../../../src/scheduler/invocation.ts';
import { recordOf } from '../../../src/scheduler/invocation-record.ts';
import type { FunctionVersion } from '../../../src/schemas/function.ts';
import type { InvocationRecord } from '../../../src/schemas/records.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';

const HELLO = { functionName: 'hello', number: 1, timeoutMs: 60_000, style: 'handler', streamBody: false } as FunctionVersion;

/** What a node's scheduler is to the hand-over, with the test in the place of instances. */
class Runs {
  /** Ready slots of HELLO. */
  free = 0;
  room = 10;
  readonly begun: Invocation[] = [];
  readonly cancelled: string[] = [];
  warmed = 0;

  get open(): number {
    return this.begun.filter(({ over }) => !over).length;
  }

  submit(input: InvocationInput, version: FunctionVersion, sink: ReplySink): Invocation {
    const invocation = new Invocation(input, version, sink, 'warm');
    invocation.instanceId = `instance of ${input.id}`;
    this.begun.push(invocation);
    sink.dispatched?.(invocation);
    return invocation;
  }

  cancel(invocation: Invocation): void {
    this.cancelled.push(invocation.input.id);
    invocation.state = 'cancelled';
    this.end(invocation);
  }

  fail(): void {}
  hangUp(): void {}

  isFree(): boolean {
    return this.free > 0;
  }

  outlook() {
    if (this.free > 0) return { cold: false, waitMs: 0, mayGrow: true };
    return this.room > 0 ? { cold: true, waitMs: 10_000, mayGrow: true } : { cold: true, waitMs: Number.POSITIVE_INFINITY, mayGrow: false };
  }

  async warm(): Promise<void> {
    this.warmed++;
  }

  *warmth() {
    if (this.free > 0) yield { version: HELLO, freeSlots: this.free, startMs: 10_000 };
  }

  /** The instance is done with it. */
  end(invocation: Invocation): void {
    invocation.over = true;
    invocation.sink.over?.(recordOf(invocation));
  }
}

/** A node, as far as it hands over: its own connection to a real broker, by a network of its own that can be cut. */
export class TestNode {
  readonly runs = new Runs();
  readonly records: InvocationRecord[] = [];
  readonly warnings: string[] = [];
  readonly handOvers: HandOvers;
  readonly network: TcpProxy;
  readonly #connection: BrokerConnection;
  knows = true;

  private constructor(name: string, network: TcpProxy, brokerUrl: string) {
    this.network = network;
    const url = new URL(brokerUrl);
    url.port = String(network.port);
    const log = { info: () => undefined, warn: (_fields: object, message: string) => void this.warnings.push(message) };
    this.#connection = new BrokerConnection({ addresses: brokerAddresses(url.href), random: Math.random, log });
    this.handOvers = createHandOver({
      node: { id: name, name: `node ${name}` },
      cluster: 'test',
      connection: this.#connection,
      runner: this.runs,
      room: () => this.runs.room,
      cores: 2,
      maxReplyBytes: 16 * 1024 * 1024,
      version: (functionName, number) => (this.knows && functionName === 'hello' && number === 1 ? HELLO : undefined),
      record: (record) => this.records.push(record),
      log,
    });
  }

  static async start(name: string, brokerUrl: string): Promise<TestNode> {
    const network = await TcpProxy.start(Number(new URL(brokerUrl).port));
    const node = new TestNode(name, network, brokerUrl);
    node.handOvers.start();
    return node;
  }

  /** A call of HELLO, as the gateway makes it. */
  call(id: string, body: Buffer | null = null, timeoutMs = 60_000): Call {
    const sink = new Answer();
    const input: InvocationInput = {
      ...{ id, correlationId: id, trigger: 'gateway', verb: 'POST', path: '/hello', rawPath: '/hello', query: '', params: {} },
      ...{ headers: ['X-Correlation-Id', id], body, scriptBody: null, requestId: null, timeoutMs },
    };
    return { answer: sink, invocation: this.handOvers.invoker.submit(input, HELLO, sink) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handOvers.close();
    await this.#connection.close();
    await this.network[Symbol.asyncDispose]();
  }
}

export interface Call {
  answer: Answer;
  /** What the gateway is given for it. */
  invocation: Invocation;
}

/** Who waits for it. */
export class Answer implements ReplySink {
  status: number | null = null;
  headers: readonly string[] = [];
  node: string | null = null;
  instanceId: string | null = null;
  body = Buffer.alloc(0);
  error: HearthError | null = null;
  ended = false;
  /** It doesn't read. */
  stuck = false;
  #drained: (() => void) | null = null;

  reply(invocation: Invocation, status: number, headers: readonly string[], body: Buffer): void {
    this.start(invocation, status, headers);
    this.write(body);
    this.end();
  }

  start(invocation: Invocation, status: number, headers: readonly string[]): void {
    this.status = status;
    this.headers = headers;
    this.node = invocation.node;
    this.instanceId = invocation.instanceId;
  }

  write(chunk: Buffer): boolean {
    this.body = Buffer.concat([this.body, chunk]);
    return !this.stuck;
  }

  onceDrained(callback: () => void): void {
    this.#drained = callback;
  }

  /** It reads again. */
  read(): void {
    this.stuck = false;
    this.#drained?.();
    this.#drained = null;
  }

  end(): void {
    this.ended = true;
  }

  fail(_invocation: Invocation, error: HearthError): void {
    this.error = error;
    this.ended = true;
  }
}
