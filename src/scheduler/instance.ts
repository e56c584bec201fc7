import { randomUUID } from 'node:crypto';
import type { Bundles } from '../bundles/bundles.ts';
import type { HearthError } from '../errors.ts';
import type { Layers } from '../layers/layers.ts';
import type { OutputLog, OutputSource } from '../logs/output-log.ts';
import type { ProtocolError } from '../protocol/frame.ts';
import type {
  CallMessage,
  ExitedMessage,
  HelloMessage,
  LoadBundle,
  LoadedModule,
  ProgramMessage,
  ReadyMessage,
  ReplyHeadMessage,
  RuntimeErrorMessage,
} from '../protocol/messages.ts';
import { RuntimeChannel, type RuntimeListener } from '../protocol/runtime-channel.ts';
import { StreamTunnel } from '../protocol/stream-tunnel.ts';
import type { ReplyEndpoint, ReplyInbox, ReplyMessage, ReplyQueues } from '../reply/endpoint.ts';
import type { Sandbox, SandboxDriver, SandboxExit, SandboxStats } from '../sandbox/driver.ts';
import type { SandboxKind, SandboxPool } from '../sandbox/pool.ts';
import type { BundleRef, FunctionVersion, ModuleForm, ProgramPolicy } from '../schemas/function.ts';
import type { InstanceRecord, InstanceState } from '../schemas/records.ts';
import { runtimeFamily } from '../schemas/runtime-name.ts';
import type { Mask } from '../secrets/mask.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { Services } from '../services/services.ts';
import type { Logger } from '../telemetry/log.ts';
import { endCallOutput, sayError } from './call-output.ts';
import type { Chains } from './chains.ts';
import { type GivenSecrets, giveSecrets, maskError } from './function-secrets.ts';
import { InstanceCalls } from './instance-calls.ts';
import * as errors from './instance-errors.ts';
import { InstanceLimits, type LimitSettings } from './instance-limits.ts';
import { InstanceServices } from './instance-services.ts';
import type { Invocation } from './invocation.ts';
import { withLastLines } from './last-lines.ts';
import { TailBuffer } from './tail-buffer.ts';
import { WorkInHand, type WorkSettings } from './work-in-hand.ts';

const LOG_TAIL_BYTES = 64 * 1024;
/** Milliseconds before the end of a start's time in which the runtime tells what it has waited for. */
const TELL_MS = 500;
/** Of a runtime, beyond a program's own grace, to say that the program is gone. Milliseconds. */
const STOP_SLACK_MS = 1000;
/** Where sandboxes with a network of their own listen for streams. */
const PRIVATE_HOST = '127.0.0.1';

export interface InstanceSettings extends WorkSettings {
  /** Milliseconds for boot and load together. */
  startTimeoutMs: number;
  /** Bytes of what a function gives another one that it invokes. */
  maxCallBytes: number;
  /** Bytes of the private /tmp. */
  tmpBytes: number;
  limits: LimitSettings;
  /** A wait below this is never too long for an invocation to be accepted. Milliseconds. */
  queueTargetMs: number;
  /** Of the machine: so many instances can run at once. */
  cores: number;
}

export interface InstanceParts {
  driver: Pick<SandboxDriver, 'name' | 'create'>;
  pool: Pick<SandboxPool, 'take' | 'stock'>;
  replyEndpoint: ReplyEndpoint;
  layers: Pick<Layers, 'byId' | 'whyMissing'>;
  bundles: Pick<Bundles, 'open'>;
  secrets: Pick<Secrets, 'reveal'>;
  chains: Chains;
  services: Services;
  /** Where scripts answer by the queues of a broker, instead of the endpoint. */
  replyQueues: ReplyQueues | null;
  log: Logger;
  /** Keeps what functions print. */
  output: Pick<OutputLog, 'source'>;
  settings: InstanceSettings;
}

export interface InstanceOwner {
  onReady(instance: Instance): void;
  /** The invocation is over and its slot is free; not called when the instance stops, see `onStopped`. */
  onOver(instance: Instance, invocation: Invocation): void;
  /**
   * @param startError why it never became ready; null when it had been
   * @param orphans failed by its end
   * @param untouched were handed to it, and their turn had not come: they are as good as new
   */
  onStopped(instance: Instance, startError: HearthError | null, orphans: readonly Invocation[], untouched: readonly Invocation[]): void;
}

/**
 * A sandbox that holds one function version: `starting → idle ⇄ busy → draining → stopped`.
 * starting: boot (until Hello), then load (until Ready). draining: takes nothing new, stops when what runs is over. From every state to stopped by `kill`,
 * by the sandbox's own end or by a protocol error. All invocations that it still had when it stopped are failed by it.
 */
export class Instance implements RuntimeListener, ReplyInbox {
  /** That of its sandbox. */
  readonly id: string;
  readonly version: FunctionVersion;
  readonly startedAt = Date.now();
  /** Where it stands in its owner's list of those with room; the owner's to use. */
  listed = false;
  /** performance.now() of when it last became idle. */
  idleSince = 0;
  bootMs = 0;
  initMs = 0;

  readonly #parts: InstanceParts;
  readonly #owner: InstanceOwner;
  readonly #work: WorkInHand;
  readonly #limits: InstanceLimits;
  readonly #tunnels = new Map<number, StreamTunnel>();
  readonly #logs = new TailBuffer(LOG_TAIL_BYTES, (text) => this.#mask?.(text) ?? text);
  readonly #output: OutputSource;
  readonly #startTick = performance.now();
  #phase: 'starting' | 'ready' | 'draining' | 'stopped' = 'starting';
  #sandbox: Sandbox | null;
  #channel: RuntimeChannel | null = null;
  /** Null until it invokes a function. */
  #calls: InstanceCalls | null = null;
  /** Null until it connects to a service. */
  #services: InstanceServices | null = null;
  #loaded = false;
  #mask: Mask | undefined;
  #readyAt: number | null = null;
  #stoppedAt: number | null = null;
  #stopReason: string | null = null;
  #startError: HearthError | null = null;
  /** What its running invocations are failed with; null: it crashed by itself. */
  #stopError: HearthError | null = null;
  /** Killed for a channel that had ended. */
  #lostChannel = false;
  /** Its program was asked to end. */
  #asked = false;
  /** Until it is ready: for the start. After the end of the channel, or when it was asked to end: for that of the sandbox. */
  #startTimer: NodeJS.Timeout | null = null;

  constructor(parts: InstanceParts, version: FunctionVersion, owner: InstanceOwner) {
    this.#parts = parts;
    this.version = version;
    this.#owner = owner;
    this.#limits = new InstanceLimits(version, parts.settings.limits);
    // A layer that is gone is told by the boot, to all who wait.
    const kind = kindOf(parts, version);
    this.#sandbox = (kind && parts.pool.take(kind)) ?? null;
    this.id = this.#sandbox?.id ?? randomUUID();
    this.#output = parts.output.source({ functionName: version.functionName, version: version.number, instanceId: this.id });
    this.#work = new WorkInHand(
      {
        id: this.id,
        version,
        channel: () => this.#channel as RuntimeChannel,
        mask: () => this.#mask,
        startTimes: () => this,
        onOver: (invocation) => this.#over(invocation),
        onStuck: (reason) => this.kill(reason),
        retire: (reason) => this.retire(reason),
        isDraining: () => this.#phase === 'draining',
        replyQueues: parts.replyQueues,
        brokerHasTaken: () => this.#services?.settled('message_queue') ?? Promise.resolve(),
        outOfMemory: (signal, logs) => this.#limits.ofKilledScript(this.#sandbox as Sandbox, signal, logs),
      },
      parts.settings,
    );
  }

  /** Boots and loads; how it went is told to the owner. */
  start(): void {
    this.#startTimer = setTimeout(() => {
      this.#failStart(errors.loadTooSlow(this.version.functionName, this.#parts.settings.startTimeoutMs));
    }, this.#parts.settings.startTimeoutMs);
    if (this.#sandbox) this.#attach(this.#sandbox);
    else this.#boot().catch((error: unknown) => this.#failStart(errors.asStartError(error)));
  }

  get state(): InstanceState {
    if (this.#phase === 'ready') return this.#work.size > 0 ? 'busy' : 'idle';
    return this.#phase;
  }

  /** It has been told which function it is, with the secrets of that moment. */
  get loaded(): boolean {
    return this.#loaded;
  }

  get running(): number {
    return this.#work.size;
  }

  /** Whether one more invocation may be given to it. */
  get hasRoom(): boolean {
    return this.freeSlots > 0;
  }

  /** How many more invocations may be given to it to run at once. */
  get freeSlots(): number {
    return this.#phase === 'ready' ? Math.max(0, this.#work.concurrency - this.#work.size) : 0;
  }

  /** Whether it runs one invocation at a time, and may be handed the next ones while it does, to take them in their order. */
  get takesAhead(): boolean {
    const { style, streamBody, websocket } = this.version;
    return this.#phase === 'ready' && this.#work.concurrency === 1 && style === 'handler' && !streamBody && !websocket;
  }

  /** Invocations that came to an end in it, whichever. */
  get completed(): number {
    return this.#work.completed;
  }

  get logs(): string | null {
    return this.#logs.text();
  }

  /** @throws Error when there is no sandbox, or none any more */
  async stats(): Promise<SandboxStats> {
    if (!this.#sandbox) throw new Error('the instance has no sandbox yet');
    return this.#sandbox.stats();
  }

  record(): InstanceRecord {
    return {
      id: this.id,
      functionName: this.version.functionName,
      versionNumber: this.version.number,
      driver: this.#sandbox?.driver ?? this.#parts.driver.name,
      state: this.state,
      startedAt: this.startedAt,
      readyAt: this.#readyAt,
      stoppedAt: this.#stoppedAt,
      stopReason: this.#stopReason,
      invocations: this.#work.begun,
      logs: this.#phase === 'stopped' ? this.logs : null,
    };
  }

  /** Only when `hasRoom`, or ahead of its turn when `takesAhead`. */
  invoke(invocation: Invocation): void {
    this.#work.take(invocation);
  }

  /** Nobody wants this invocation's answer any more. */
  cancel(invocation: Invocation, reason: 'deadline' | 'client_gone'): void {
    this.#work.cancel(invocation, reason);
  }

  /** Takes nothing new, and stops when it is empty. */
  retire(reason: string): void {
    if (this.#phase === 'draining' || this.#phase === 'stopped') return;
    if (this.#phase === 'ready' && this.#work.size > 0) {
      this.#phase = 'draining';
      this.#stopReason = reason;
    } else this.kill(reason);
  }

  /** Ends the sandbox now. @param error what invocations that still run in it are failed with */
  kill(reason: string, error: HearthError | null = null): void {
    if (this.#phase === 'stopped') return;
    this.#stopReason ??= reason;
    this.#stopError ??= error;
    if (this.#phase === 'starting') this.#startError ??= error ?? errors.stoppedBeforeReady(reason);
    const isIdle = this.#readyAt !== null && this.#work.size === 0;
    this.#phase = 'draining';
    if (isIdle && this.version.program !== null && !this.#asked) this.#askToStop(this.version.program);
    else this.#sandbox?.kill();
  }

  /** A program that has nothing to do may end by itself, as it does anywhere else. */
  #askToStop({ stopGraceMs }: ProgramPolicy): void {
    this.#asked = true;
    this.#channel?.shutdown();
    this.#startTimer = setTimeout(() => this.#sandbox?.kill(), stopGraceMs + STOP_SLACK_MS);
  }

  accepts(correlationId: string): boolean {
    return this.#work.hasCorrelation(correlationId);
  }

  deliver(correlationId: string, message: ReplyMessage): void {
    this.#work.onMessage(correlationId, message);
  }

  awaits(id: number): boolean {
    return this.#work.has(id);
  }

  onHello(message: HelloMessage): void {
    this.bootMs = performance.now() - this.#startTick;
    const { version } = this;
    // What starts programs is Python's agent, whatever they are written in.
    const needed = version.program === null ? runtimeFamily(version.runtime) : 'python';
    if (message.runtime !== needed) {
      this.#failStart(errors.wrongRuntime(message.runtime, needed));
      return;
    }
    const { own } = this.#limits;
    if (own === undefined) this.#load();
    else
      (this.#sandbox as Sandbox).limit(own).then(
        () => this.#load(),
        (error: Error) => this.#failStart(errors.limitsRefused(version.functionName, error.message)),
      );
  }

  #load(): void {
    const { bundle } = this.version;
    if (bundle === null) this.#loadWith(null);
    else this.#loadBundle(bundle).catch((error: Error) => this.#failStart(errors.bundleUnreadable(this.version.functionName, bundle.hash, error)));
  }

  /** While it is not read, nothing more is read for it: what is under way is a few hundred KiB, however large the bundle. */
  async #loadBundle({ hash, entry }: BundleRef): Promise<void> {
    const { length, chunks } = await this.#parts.bundles.open(hash);
    try {
      this.#loadWith({ folder: (this.#sandbox as Sandbox).functionFolder, entry, length });
      const channel = this.#channel as RuntimeChannel;
      for await (const chunk of chunks) {
        if (this.#phase !== 'starting') return;
        if (!channel.loadBundle(chunk)) await channel.drained();
      }
    } finally {
      await chunks.return(undefined);
    }
  }

  #loadWith(bundle: LoadBundle | null): void {
    if (this.#phase !== 'starting') return;
    const { version } = this;
    const sandbox = this.#sandbox as Sandbox;
    const given = this.#giveSecrets();
    if (!given) return;
    this.#loaded = true;
    this.#mask = given.mask;
    this.#output.setSecrets(Object.values(given.values));
    this.#channel?.load(
      {
        function: version.functionName,
        style: version.style,
        runtime: version.runtime,
        ...(version.module ? { module: loadedForm(version.module) } : {}),
        ...(bundle === null ? {} : { bundle }),
        layers: sandbox.layerPaths,
        environment: version.environment,
        ...(version.secrets.length > 0 ? { secrets: given.values } : {}),
        concurrency: version.concurrency,
        streamListen:
          version.style === 'script' && !sandbox.services.some(({ name }) => name === sandbox.streamListen.name) ? sandbox.streamListen : null,
        ...(sandbox.services.length > 0 ? { services: sandbox.services } : {}),
        ...(version.invokes.length > 0 ? { calls: true } : {}),
        ...(version.streamBody ? { streamBody: true } : {}),
        ...(version.websocket ? { websocket: true } : {}),
        limits: this.#limits.rlimits,
        ...(version.program === null ? {} : { program: this.#programMessage(version.program, sandbox) }),
      },
      Buffer.from(version.module?.compiled ?? version.code),
    );
  }

  #programMessage(program: ProgramPolicy, { streamListen }: Sandbox): ProgramMessage {
    const { settings } = this.#parts;
    // Where the port of streams is not the one of every sandbox, they share a network, and two programs can't have one port.
    const isOwnNetwork = streamListen.host === PRIVATE_HOST;
    return {
      command: program.command,
      port: isOwnNetwork ? program.port : 0,
      readyPath: program.readyPath,
      healthPath: program.healthPath,
      startTimeoutMs: Math.max(1, settings.startTimeoutMs - (performance.now() - this.#startTick) - TELL_MS),
      stopGraceMs: program.stopGraceMs,
      version: this.version.number,
      memoryBytes: this.#limits.memoryBytes,
      maxReplyBytes: settings.maxReplyBytes,
    };
  }

  onReady(message: ReadyMessage): void {
    if (this.#phase !== 'starting') return;
    this.#clearStartTimer();
    this.initMs = performance.now() - this.#startTick - this.bootMs;
    this.#work.concurrency = Math.min(message.concurrency, this.version.concurrency);
    this.#phase = 'ready';
    this.#readyAt = Date.now();
    this.idleSince = performance.now();
    this.#owner.onReady(this);
  }

  onLoadFailed(error: RuntimeErrorMessage): void {
    this.#failStart(errors.loadFailed(this.version.functionName, maskError(error, this.#mask)));
  }

  onLog(id: number, stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this.#logs.push(chunk);
    this.#output.write(stream, this.#work.onLog(id, chunk)?.input.correlationId ?? '', chunk);
  }

  onReplyHead(id: number, head: ReplyHeadMessage): void {
    this.#work.onReplyHead(id, head);
  }

  onReplyBody(id: number, chunk: Buffer): void {
    this.#work.onReplyBody(id, chunk);
  }

  onReplyEnd(id: number): void {
    this.#work.onReplyEnd(id);
  }

  onFailed(id: number, { fatal, ...error }: RuntimeErrorMessage): void {
    if (!fatal) this.#work.onFailed(id, error);
    // All of its invocations fail when it has stopped: only then it is known whether that was for want of memory.
    else this.kill('its program ended', errors.failed(this.version.functionName, maskError(error, this.#mask)));
  }

  onInvokeCredit(id: number, bytes: number): void {
    this.#work.onInvokeCredit(id, bytes);
  }

  onExited(id: number, exit: ExitedMessage): void {
    this.#work.onExited(id, exit);
  }

  onStreamOpen(stream: number, service: string | undefined): void {
    if (service !== undefined) {
      this.#services ??= new InstanceServices(this.#parts.services, this.#channel as RuntimeChannel);
      this.#services.open(stream, service);
      return;
    }
    const tunnel = new StreamTunnel(this.#channel as RuntimeChannel, stream, () => this.#tunnels.delete(stream));
    this.#tunnels.set(stream, tunnel);
    this.#parts.replyEndpoint.accept(tunnel, this);
  }

  onStreamData(stream: number, chunk: Buffer): void {
    if (this.#services?.receive(stream, chunk)) return;
    this.#tunnels.get(stream)?.receive(chunk);
  }

  onStreamClose(stream: number): void {
    if (this.#services?.receiveClose(stream)) return;
    this.#tunnels.get(stream)?.receiveClose();
  }

  onStreamEnd(stream: number): void {
    this.#services?.receiveEnd(stream);
  }

  onStreamCredit(stream: number, bytes: number): void {
    this.#services?.receiveCredit(stream, bytes);
  }

  onCall(call: number, message: CallMessage): void {
    this.#calls ??= new InstanceCalls({
      chains: this.#parts.chains,
      channel: () => this.#channel as RuntimeChannel,
      running: (frameId) => this.#work.running(frameId),
      maxBodyBytes: this.#parts.settings.maxCallBytes,
      maxUnreadBytes: 2 * this.#parts.settings.maxReplyBytes,
    });
    this.#calls.onCall(call, message);
  }

  onCallBody(call: number, chunk: Buffer): void {
    this.#calls?.onCallBody(call, chunk);
  }

  /** The runtime ends with it, if it was the runtime that closed it; a function that did is given no more than that moment. */
  onChannelEnd(): void {
    if (this.#phase === 'stopped') return;
    this.#clearStartTimer();
    const kill = () => {
      this.#lostChannel = true;
      this.kill('its channel was closed', errors.channelClosed(this.version.functionName));
    };
    this.#startTimer = setTimeout(kill, this.#parts.settings.cancelGraceMs);
  }

  onProtocolError(error: ProtocolError): void {
    this.#parts.log.warn(
      { instance: this.id, function: this.version.functionName, reason: error.message },
      'a runtime broke the protocol; its sandbox is killed',
    );
    const failure = errors.protocolBroken(this.version.functionName, error.message);
    if (this.#phase === 'starting') this.#failStart(failure);
    else this.kill(error.message, failure);
  }

  /** Undefined when one can't be had: then the start has failed. */
  #giveSecrets(): GivenSecrets | undefined {
    try {
      return giveSecrets(this.version.functionName, this.version.secrets, this.#parts.secrets);
    } catch (error) {
      this.#failStart(errors.asStartError(error));
      return undefined;
    }
  }

  async #boot(): Promise<void> {
    const kind = kindOf(this.#parts, this.version);
    if (!kind) throw errors.layerMissing(this.version, this.#parts.layers);
    this.#sandbox = await this.#parts.driver.create({ ...kind, id: this.id });
    this.#attach(this.#sandbox);
  }

  #attach(sandbox: Sandbox): void {
    sandbox.onOutput((stream, chunk) => {
      this.#logs.push(chunk);
      this.#output.write(stream, this.#work.onOutput(chunk)?.input.correlationId ?? '', chunk);
    });
    this.#channel = new RuntimeChannel(sandbox.channel, this);
    // The end comes by another way than what was said before it, and may overtake it: what lies in the channel is heard first.
    void sandbox.exited.then((exit) => setImmediate(() => this.#stopped(exit)));
    if (this.#phase !== 'starting') sandbox.kill();
  }

  #failStart(error: HearthError): void {
    if (this.#phase === 'stopped') return;
    this.#startError ??= error;
    this.kill(error.message, error);
    if (!this.#sandbox) this.#stopped({ code: null, signal: null });
  }

  #stopped(exit: SandboxExit): void {
    if (this.#phase === 'stopped') return;
    const wasStarting = this.#readyAt === null;
    this.#phase = 'stopped';
    this.#stoppedAt = Date.now();
    this.#clearStartTimer();
    this.#stopReason ??= `the sandbox ${errors.howEnded(exit)}`;
    for (const tunnel of this.#tunnels.values()) tunnel.destroy();
    this.#services?.close();
    this.#calls?.close();
    // Before whatever we made of its symptoms, such as a channel that was closed.
    const outOfMemory = this.#limits.ofExit(exit, this.#logs.text());
    // It had ended by itself: that was told late.
    if (this.#lostChannel && exit.signal !== 'SIGKILL') this.#stopError = null;
    const { orphans, untouched } = this.#work.abandon(outOfMemory ?? this.#stopError ?? errors.crashed(this.version.functionName, exit));
    const startError = wasStarting ? (outOfMemory ?? this.#startError ?? errors.endedBeforeLoad(this.version.functionName, exit)) : null;
    for (const orphan of orphans) endCallOutput(this.#output, orphan);
    if (startError?.fault === 'function') sayError(this.#output, '', startError);
    this.#output.end();
    this.#owner.onStopped(this, startError && this.version.errorLogs ? withLastLines(startError, this.logs) : startError, orphans, untouched);
  }

  #over(invocation: Invocation): void {
    endCallOutput(this.#output, invocation);
    this.#calls?.endOf(invocation);
    if (this.#work.size === 0) this.idleSince = performance.now();
    this.#owner.onOver(this, invocation);
    if (this.#phase === 'draining' && this.#work.size === 0) this.kill(this.#stopReason ?? 'drained');
  }

  #clearStartTimer(): void {
    if (this.#startTimer) clearTimeout(this.#startTimer);
    this.#startTimer = null;
  }
}

/** The code itself goes by itself. */
function loadedForm({ compiled: _code, ...module }: ModuleForm): LoadedModule {
  return module;
}

/** What its sandboxes have in common; undefined when one of its layers is gone. */
export function kindOf(parts: Pick<InstanceParts, 'layers' | 'settings'>, version: FunctionVersion): SandboxKind | undefined {
  const layers: string[] = [];
  for (const id of version.layers) {
    const layer = parts.layers.byId(id);
    if (!layer) return undefined;
    layers.push(layer.path);
  }
  const { runtime, network, program } = version;
  const kind = {
    runtime,
    layers,
    network,
    tmpBytes: parts.settings.tmpBytes,
    // V8 is told when it starts.
    ...(version.module === null ? {} : { memoryBytes: version.memoryBytes ?? parts.settings.limits.memoryBytes }),
  };
  // In Python's sandboxes programs run as they are, so that they share their pool.
  return program === null || runtime === 'python' ? kind : { ...kind, supervised: true };
}
