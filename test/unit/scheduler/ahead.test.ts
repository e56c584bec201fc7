import { type Duplex, duplexPair } from 'node:stream';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LimitShare } from '../../../src/cluster/limit-share.ts';
import { HearthError } from '../../../src/errors.ts';
import { NoOutputLog } from '../../../src/logs/no-output-log.ts';
import { encodeFrame, FrameDecoder, FromRuntime, ToRuntime } from '../../../src/protocol/frame.ts';
import type { Sandbox, SandboxExit, SandboxSpec } from '../../../src/sandbox/driver.ts';
import { FunctionInstances, type Machine } from '../../../src/scheduler/function-instances.ts';
import type { InstanceParts } from '../../../src/scheduler/instance.ts';
import { Invocation } from '../../../src/scheduler/invocation.ts';
import type { FunctionVersion } from '../../../src/schemas/function.ts';
import { versionDraft } from '../store/records.ts';

/** Enough short runs for the next ones to be handed ahead. */
const PROOF = 100;

/** The sandbox's side of the channel: takes every invocation, and answers it when told to, or at once; scripts when told to only. */
class Runtime {
  readonly got: number[] = [];
  readonly cancelled: number[] = [];
  readonly sandbox: Sandbox;
  answersAtOnce = true;
  readonly #channel: Duplex;
  readonly #exit = Promise.withResolvers<SandboxExit>();

  constructor({ id }: SandboxSpec) {
    const [ours, theirs] = duplexPair();
    this.#channel = theirs;
    const decoder = new FrameDecoder((type, frame, payload) => this.#take(type, frame, payload));
    theirs.on('data', (chunk: Buffer) => decoder.push(chunk));
    this.#say(FromRuntime.Hello, 0, { protocol: 1, runtime: 'python', version: '3.11.2' });
    this.sandbox = {
      id,
      driver: 'test',
      channel: ours,
      layerPaths: [],
      functionFolder: '/function',
      streamListen: { host: '127.0.0.1', port: 5672, name: 'message_queue' },
      services: [],
      preloaded: true,
      onOutput: () => undefined,
      exited: this.#exit.promise,
      stats: async () => ({ pssBytes: 0, processes: 1 }),
      limit: async () => undefined,
      oomKills: async () => 0,
      kill: () => this.die(),
    };
  }

  answer(frame: number): void {
    this.#say(FromRuntime.ReplyHead, frame, { status: 200, headers: [], streaming: false });
    this.#say(FromRuntime.ReplyEnd, frame);
  }

  exit(frame: number): void {
    this.#say(FromRuntime.Exited, frame, { code: 0 });
  }

  die(): void {
    this.#exit.resolve({ code: null, signal: 'SIGKILL' });
  }

  #take(type: number, frame: number, payload: Buffer): void {
    if (type === ToRuntime.Load) {
      if (payload.includes('"style":"script"')) this.answersAtOnce = false;
      this.#say(FromRuntime.Ready, 0, { concurrency: 2, preloaded: [], excluded: [] });
    }
    if (type === ToRuntime.Cancel) this.cancelled.push(frame);
    if (type !== ToRuntime.Invoke) return;
    this.got.push(frame);
    if (this.answersAtOnce) this.answer(frame);
  }

  #say(type: number, frame: number, payload?: object): void {
    this.#channel.write(encodeFrame(type, frame, payload && JSON.stringify(payload)));
  }
}

let runtimes: Runtime[];
let over: Invocation[];
let instances: FunctionInstances;
/** Instead of the one that runs handlers one at a time. */
let serve: (changes: Partial<FunctionVersion>) => void;

beforeEach(() => {
  // Of this test alone: what the last one left behind ends while it runs.
  const mine = { runtimes: [] as Runtime[], over: [] as Invocation[] };
  ({ runtimes, over } = mine);
  // No time passes, so that every run is short.
  vi.useFakeTimers({ toFake: ['performance'] });
  const machine: Machine = {
    ...{ takeRoom: () => true, giveRoom() {}, onInstanceStarted() {}, onInstanceReady() {}, onInstanceUsed() {}, onInstanceIdle() {} },
    ...{ mustMakeRoom: () => false, renewDeadline() {}, hasIdleCpu: () => false, onGone() {} },
    onInvocationOver: (invocation) => mine.over.push(invocation),
    share: new LimitShare(),
  };
  const parts: InstanceParts = {
    output: new NoOutputLog(),
    driver: {
      name: 'test',
      async create(spec) {
        const runtime = new Runtime(spec);
        mine.runtimes.push(runtime);
        return runtime.sandbox;
      },
    },
    pool: { take: () => undefined, stock() {} },
    services: {} as never,
    replyQueues: null,
    bundles: undefined as never,
    replyEndpoint: { accept() {}, close() {} },
    layers: { whyMissing: () => undefined, byId: (id) => ({ id, path: '/', name: null, runtimes: ['python'] }) },
    chains: undefined as never,
    secrets: { reveal: () => new Map() } as never,
    log: pino({ level: 'silent' }),
    settings: {
      ...{
        startTimeoutMs: 60_000,
        cancelGraceMs: 20,
        streamIdleMs: 60_000,
        maxCallBytes: 1024,
        maxReplyBytes: 1024,
        tmpBytes: 1024,
        queueTargetMs: 1000,
        cores: 1,
      },
      limits: { memoryBytes: 1024, boundsMemory: true, rlimits: {} },
    },
  };
  const version = {
    ...versionDraft({
      style: 'handler',
      bundle: null,
      streamBody: false,
      websocket: false,
      errorLogs: false,
      concurrency: 1,
      secrets: [],
      layers: [],
      memoryBytes: null,
      cpu: null,
    }),
    number: 1,
    createdAt: 0,
  };
  serve = (changes) => {
    instances = new FunctionInstances(parts, machine, { ...version, ...changes }, undefined);
  };
  serve({});
});

afterEach(() => {
  instances.stop(new HearthError('draining', 'the test is over'));
  vi.useRealTimers();
});

/** Turns of the event loop pass, no time does. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition() && turn < 10_000; turn++) await new Promise(setImmediate);
}

function call(body: Buffer | null = null): Invocation {
  const input = {
    id: 'i',
    correlationId: 'c',
    trigger: 'gateway',
    verb: 'GET',
    path: '/',
    rawPath: '/',
    query: '',
    params: {},
    headers: [],
  } as const;
  const sink = { reply() {}, start() {}, write: () => true, onceDrained() {}, end() {}, fail() {} };
  const invocation = new Invocation({ ...input, body, scriptBody: null, requestId: null }, instances.version, sink, 'warm');
  instances.submit(invocation);
  return invocation;
}

/** An instance that has proved that runs are short, and has one in hand which it doesn't answer. @returns the instance's runtime, and that one's frame */
async function busyInstance(): Promise<{ runtime: Runtime; running: Invocation; frame: number }> {
  for (let count = 1; count <= PROOF; count++) {
    call();
    await until(() => over.length === count);
  }
  over.length = 0;
  const runtime = runtimes[0] as Runtime;
  runtime.answersAtOnce = false;
  const running = call();
  await expect.poll(() => runtime.got.length).toBe(PROOF + 1);
  return { runtime, running, frame: runtime.got.at(-1) as number };
}

describe('an instance whose runs are short', () => {
  it('is handed the next ones while it is busy, and takes them in their order', async () => {
    const { runtime, running, frame } = await busyInstance();
    const waiting = [call(), call()];
    await expect.poll(() => runtime.got.slice(PROOF)).toEqual([frame, frame + 1, frame + 2]);
    expect(instances.waiting).toBe(0);
    expect([running, ...waiting].map(({ state }) => state)).toEqual(['running', 'queued', 'queued']);
    runtime.answer(frame);
    await expect.poll(() => waiting[0]?.state).toBe('running');
    expect(waiting[1]?.state).toBe('queued');
    runtime.answer(frame + 1);
    runtime.answer(frame + 2);
    await expect.poll(() => over).toEqual([running, ...waiting]);
    expect(over.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  it('is handed no more than a few, and no large bodies', async () => {
    const { runtime } = await busyInstance();
    for (let count = 0; count < 20; count++) call();
    await expect.poll(() => runtime.got.length).toBe(PROOF + 1 + 8);
    expect(instances.waiting).toBe(12);
  });

  it('is not handed bodies that would lie in its channel', async () => {
    await busyInstance();
    call(Buffer.alloc(1024 * 1024));
    expect(instances.waiting).toBe(1);
  });

  it('is handed none after a run that was long', async () => {
    const { runtime, running, frame } = await busyInstance();
    vi.advanceTimersByTime(50);
    runtime.answer(frame);
    await expect.poll(() => over).toEqual([running]);
    call();
    call();
    expect(instances.waiting).toBe(1);
  });

  it('loses only what it was at when it dies: the others go to the next', async () => {
    const { runtime, running } = await busyInstance();
    const waiting = [call(), call()];
    await expect.poll(() => runtime.got.length).toBe(PROOF + 3);
    runtime.die();
    await expect.poll(() => over).toEqual([running, ...waiting]);
    expect(running.error?.code).toBe('function_crashed');
    expect(waiting.map(({ status, instanceId }) => [status, instanceId])).toEqual([
      [200, runtimes[1]?.sandbox.id],
      [200, runtimes[1]?.sandbox.id],
    ]);
  });

  it('is heard to the end: what it answered before it died has been answered', async () => {
    const { runtime, running, frame } = await busyInstance();
    runtime.answer(frame);
    runtime.die();
    await expect.poll(() => over).toEqual([running]);
    expect([running.error, running.status]).toEqual([null, 200]);
  });

  it('is killed for the one that does not end, not for those behind it', async () => {
    const { runtime, running } = await busyInstance();
    const waiting = call();
    await expect.poll(() => runtime.got.length).toBe(PROOF + 2);
    [...instances.instances][0]?.cancel(running, 'deadline');
    await expect.poll(() => over).toEqual([running, waiting]);
    expect(waiting.status).toBe(200);
  });

  it('is told of one that nobody wants any more when that has its turn', async () => {
    const { runtime, frame } = await busyInstance();
    const [unwanted, wanted] = [call(), call()];
    await expect.poll(() => runtime.got.length).toBe(PROOF + 3);
    unwanted.state = 'cancelled';
    [...instances.instances][0]?.cancel(unwanted, 'client_gone');
    expect(runtime.cancelled).toEqual([]);
    runtime.answer(frame);
    await expect.poll(() => runtime.cancelled).toEqual([frame + 1]);
    expect(unwanted.state).toBe('cancelled');
    runtime.answer(frame + 1);
    runtime.answer(frame + 2);
    await expect.poll(() => over.length).toBe(3);
    expect(wanted.status).toBe(200);
  });

  it('is killed when it answers out of turn', async () => {
    const { runtime, running, frame } = await busyInstance();
    const waiting = call();
    await expect.poll(() => runtime.got.length).toBe(PROOF + 2);
    runtime.answer(frame + 1);
    await expect.poll(() => over).toEqual([running, waiting]);
    expect(running.error?.code).toBe('runtime_protocol_error');
    expect(waiting.instanceId).toBe(runtimes[1]?.sandbox.id);
  });
});

describe('an instance that runs scripts side by side', () => {
  it('goes when one that was cancelled does not end, but not before the others have', async () => {
    serve({ style: 'script', concurrency: 2 });
    const runs = [call(), call()];
    await expect.poll(() => runtimes[0]?.got.length).toBe(2);
    const runtime = runtimes[0] as Runtime;
    const [instance] = instances.instances;
    instance?.cancel(runs[0] as Invocation, 'client_gone');
    await expect.poll(() => instance?.state).toBe('draining');
    expect(over).toEqual([]);
    runtime.exit(runtime.got[1] as number);
    await expect.poll(() => over.length).toBe(2);
    expect(runs[1]).toMatchObject({ status: 204, error: null });
  });
});
