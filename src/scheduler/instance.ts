import { randomUUID } from 'node:crypto';
import { HearthError } from '../errors.ts';
import type { Layers } from '../layers/layers.ts';
import { ProtocolError } from '../protocol/frame.ts';
import type { ExitedMessage, HelloMessage, ReadyMessage, ReplyHeadMessage, RuntimeErrorMessage } from '../protocol/messages.ts';
import { RuntimeChannel, type RuntimeListener } from '../protocol/runtime-channel.ts';
import { StreamTunnel } from '../protocol/stream-tunnel.ts';
import type { ReplyEndpoint, ReplyInbox, ReplyMessage } from '../reply/endpoint.ts';
import type { Sandbox, SandboxDriver, SandboxExit, SandboxStats } from '../sandbox/driver.ts';
import type { SandboxKind, SandboxPool } from '../sandbox/pool.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { InstanceRecord, InstanceState } from '../schemas/records.ts';
import type { Mask } from '../secrets/mask.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { Logger } from '../telemetry/log.ts';
import { type GivenSecrets, giveSecrets, maskError } from './function-secrets.ts';
import * as errors from './instance-errors.ts';
import { InstanceLimits, type LimitSettings } from './instance-limits.ts';
import type { Invocation } from './invocation.ts';
import { failInvocation } from './reply-assembly.ts';
import { RunningInvocation } from './running-invocation.ts';
import { TailBuffer } from './tail-buffer.ts';

const LOG_TAIL_BYTES = 64 * 1024;

export interface InstanceSettings {
  /** Milliseconds for boot and load together. */
  startTimeoutMs: number;
  /** Milliseconds for a cancelled invocation to confirm. */
  cancelGraceMs: number;
  /** Milliseconds that a streamed reply may pause for. */
  streamIdleMs: number;
  /** Bytes of a buffered reply. */
  maxReplyBytes: number;
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
  layers: Pick<Layers, 'byId'>;
  secrets: Pick<Secrets, 'reveal'>;
  log: Logger;
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
  readonly #running = new Map<number, RunningInvocation>();
  readonly #byCorrelation = new Map<string, RunningInvocation>();
  readonly #limits: InstanceLimits;
  readonly #tunnels = new Map<number, StreamTunnel>();
  readonly #logs = new TailBuffer(LOG_TAIL_BYTES, (text) => this.#mask?.(text) ?? text);
  readonly #startTick = performance.now();
  #phase: 'starting' | 'ready' | 'draining' | 'stopped' = 'starting';
  #sandbox: Sandbox | null;
  #channel: RuntimeChannel | null = null;
  #loaded = false;
  #mask: Mask | undefined;
  #concurrency = 1;
  #served = 0;
  #completed = 0;
  #readyAt: number | null = null;
  #stoppedAt: number | null = null;
  #stopReason: string | null = null;
  #startError: HearthError | null = null;
  /** What its running invocations are failed with; null: it crashed by itself. */
  #stopError: HearthError | null = null;
  /** Until it is ready: for the start. After the end of the channel: for that of the sandbox. */
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
    if (this.#phase === 'ready') return this.#running.size > 0 ? 'busy' : 'idle';
    return this.#phase;
  }

  /** It has been told which function it is, with the secrets of that moment. */
  get loaded(): boolean {
    return this.#loaded;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Whether one more invocation may be given to it. */
  get hasRoom(): boolean {
    return this.freeSlots > 0;
  }

  /** How many more invocations may be given to it to run at once. */
  get freeSlots(): number {
    return this.#phase === 'ready' ? Math.max(0, this.#concurrency - this.#running.size) : 0;
  }

  /** Whether it runs one invocation at a time, and may be handed the next ones while it does, to take them in their order. */
  get takesAhead(): boolean {
    return this.#phase === 'ready' && this.#concurrency === 1 && this.version.style === 'handler';
  }

  /** Invocations that came to an end in it, whichever. */
  get completed(): number {
    return this.#completed;
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
      invocations: this.#served,
      logs: this.#phase === 'stopped' ? this.logs : null,
    };
  }

  /** Only when `hasRoom`, or ahead of its turn when `takesAhead`. */
  invoke(invocation: Invocation): void {
    const channel = this.#channel as RuntimeChannel;
    const { input, version } = invocation;
    const isItsTurn = this.#running.size < this.#concurrency;
    const frameId = channel.invoke(
      {
        correlationId: input.correlationId,
        instanceId: this.id,
        verb: input.verb,
        path: input.path,
        rawPath: input.rawPath,
        query: input.query,
        params: input.params,
        headers: input.headers,
        scriptBody: input.scriptBody,
        bodyLength: input.body?.length ?? 0,
        deadline: invocation.deadline,
      },
      input.body,
    );
    invocation.instanceId = this.id;
    const entry = new RunningInvocation(frameId, invocation, this.#parts.settings.maxReplyBytes);
    this.#running.set(frameId, entry);
    if (version.style === 'script') this.#byCorrelation.set(input.correlationId, entry);
    if (isItsTurn) this.#begin(entry);
  }

  #begin(entry: RunningInvocation): void {
    const { invocation } = entry;
    entry.begun = true;
    this.#served++;
    invocation.dispatchedTick = performance.now();
    if (invocation.start === 'cold') {
      invocation.bootMs = this.bootMs;
      invocation.initMs = this.initMs;
    }
    if (entry.unwanted) {
      this.#interrupt(entry, 'client_gone');
      return;
    }
    invocation.state = 'running';
    invocation.clock = 'run';
    invocation.sink.dispatched?.(invocation);
  }

  /**
   * Nobody wants this invocation's answer any more. A script's processes are killed by the runtime; a handler that is alone in its instance is killed with
   * it, at once when its deadline passed, else after a grace in which it may end by itself and keep the instance warm.
   */
  cancel(invocation: Invocation, reason: 'deadline' | 'client_gone' | 'reply_refused'): void {
    const entry = [...this.#running.values()].find((running) => running.invocation === invocation);
    if (!entry || entry.isCancelled) return;
    // What waits in the channel can't be taken back; it is told when its turn has come.
    if (entry.begun) this.#interrupt(entry, reason);
    else entry.unwanted = true;
  }

  #interrupt(entry: RunningInvocation, reason: 'deadline' | 'client_gone' | 'reply_refused'): void {
    entry.stopClocks();
    if (this.version.style === 'handler' && reason === 'deadline' && this.#runsOne) {
      this.kill('an invocation passed its deadline');
      return;
    }
    this.#channel?.cancel(entry.frameId, reason);
    const grace =
      reason === 'client_gone' && this.version.style === 'handler' ? 4 * this.#parts.settings.cancelGraceMs : this.#parts.settings.cancelGraceMs;
    entry.startGrace(grace, () => this.#condemn());
  }

  /** What waits in the channel aside. */
  get #runsOne(): boolean {
    return this.#concurrency === 1 || this.#running.size === 1;
  }

  /** Takes nothing new, and stops when it is empty. */
  retire(reason: string): void {
    if (this.#phase === 'draining' || this.#phase === 'stopped') return;
    if (this.#phase === 'ready' && this.#running.size > 0) {
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
    if (this.#phase !== 'draining') this.#phase = 'draining';
    if (this.#sandbox) this.#sandbox.kill();
  }

  accepts(correlationId: string): boolean {
    return this.#byCorrelation.has(correlationId);
  }

  deliver(correlationId: string, message: ReplyMessage): void {
    const entry = this.#byCorrelation.get(correlationId);
    if (!entry || entry.invocation.answered) return;
    this.#guard(entry, () => entry.assembly.message(message));
  }

  awaits(id: number): boolean {
    return this.#running.has(id);
  }

  onHello(message: HelloMessage): void {
    this.bootMs = performance.now() - this.#startTick;
    const { version } = this;
    if (message.runtime !== version.runtime) {
      this.#failStart(errors.wrongRuntime(message.runtime, version.runtime));
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
    if (this.#phase !== 'starting') return;
    const { version } = this;
    const sandbox = this.#sandbox as Sandbox;
    const given = this.#giveSecrets();
    if (!given) return;
    this.#loaded = true;
    this.#mask = given.mask;
    this.#channel?.load(
      {
        function: version.functionName,
        style: version.style,
        runtime: version.runtime,
        layers: sandbox.layerPaths,
        environment: version.environment,
        ...(version.secrets.length > 0 ? { secrets: given.values } : {}),
        concurrency: version.concurrency,
        streamListen: version.style === 'script' ? sandbox.streamListen : null,
        limits: this.#limits.rlimits,
      },
      Buffer.from(version.code),
    );
  }

  onReady(message: ReadyMessage): void {
    if (this.#phase !== 'starting') return;
    this.#clearStartTimer();
    this.initMs = performance.now() - this.#startTick - this.bootMs;
    this.#concurrency = Math.min(message.concurrency, this.version.concurrency);
    this.#phase = 'ready';
    this.#readyAt = Date.now();
    this.idleSince = performance.now();
    this.#owner.onReady(this);
  }

  onLoadFailed(error: RuntimeErrorMessage): void {
    this.#failStart(errors.loadFailed(this.version.functionName, maskError(error, this.#mask)));
  }

  onLog(id: number, _stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this.#logs.push(chunk);
    this.#running.get(id)?.invocation.log(chunk, this.#mask);
  }

  onReplyHead(id: number, head: ReplyHeadMessage): void {
    const entry = this.#answerable(id);
    if (!entry) return;
    this.#guard(entry, () => entry.assembly.head(head));
    if (entry.assembly.streaming && !entry.invocation.answered) this.#startIdleClock(entry);
  }

  onReplyBody(id: number, chunk: Buffer): void {
    const entry = this.#answerable(id);
    if (!entry) return;
    entry.refreshIdleClock();
    this.#guard(entry, () => {
      if (!entry.assembly.body(chunk)) entry.holdReading(this.#channel as RuntimeChannel);
    });
  }

  onReplyEnd(id: number): void {
    const entry = this.#inTurn(id);
    if (!entry) return;
    if (!entry.invocation.answered) this.#guard(entry, () => entry.assembly.end());
    this.#over(entry);
  }

  onFailed(id: number, error: RuntimeErrorMessage): void {
    const entry = this.#inTurn(id);
    if (!entry) return;
    failInvocation(entry.invocation, errors.failed(this.version.functionName, maskError(error, this.#mask)));
    this.#over(entry);
  }

  onExited(id: number, exit: ExitedMessage): void {
    const entry = this.#running.get(id);
    if (!entry) return;
    // What the script published last may still be on its way through the reply endpoint.
    if (entry.invocation.answered) this.#exited(entry, exit);
    else setImmediate(() => this.#exited(entry, exit));
  }

  onStreamOpen(stream: number): void {
    const tunnel = new StreamTunnel(this.#channel as RuntimeChannel, stream, () => this.#tunnels.delete(stream));
    this.#tunnels.set(stream, tunnel);
    this.#parts.replyEndpoint.accept(tunnel, this);
  }

  onStreamData(stream: number, chunk: Buffer): void {
    this.#tunnels.get(stream)?.receive(chunk);
  }

  onStreamClose(stream: number): void {
    this.#tunnels.get(stream)?.receiveClose();
  }

  /** The runtime ends with it, if it was the runtime that closed it; a function that did is given no more than that moment. */
  onChannelEnd(): void {
    if (this.#phase === 'stopped') return;
    this.#clearStartTimer();
    const kill = () => this.kill('its channel was closed', errors.channelClosed(this.version.functionName));
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
    if (!kind) throw errors.layerGone(this.version.functionName);
    this.#sandbox = await this.#parts.driver.create({ ...kind, id: this.id });
    this.#attach(this.#sandbox);
  }

  #attach(sandbox: Sandbox): void {
    sandbox.onOutput((_stream, chunk) => {
      this.#logs.push(chunk);
      // With one invocation at a time there is no doubt whose it is.
      if (this.#runsOne) this.#running.values().next().value?.invocation.log(chunk, this.#mask);
    });
    this.#channel = new RuntimeChannel(sandbox.channel, this);
    void sandbox.exited.then((exit) => this.#stopped(exit));
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
    // Before whatever we made of its symptoms, such as a channel that was closed.
    const outOfMemory = this.#limits.ofExit(exit);
    const [orphans, untouched]: [RunningInvocation[], RunningInvocation[]] = [[], []];
    for (const entry of this.#running.values()) (entry.begun || entry.unwanted ? orphans : untouched).push(entry);
    this.#running.clear();
    this.#byCorrelation.clear();
    for (const entry of orphans) {
      entry.stopClocks();
      failInvocation(entry.invocation, outOfMemory ?? this.#stopError ?? errors.crashed(this.version.functionName, exit));
      entry.invocation.over = true;
    }
    this.#owner.onStopped(
      this,
      wasStarting ? (outOfMemory ?? this.#startError ?? errors.endedBeforeLoad(this.version.functionName, exit, this.logs)) : null,
      orphans.map((entry) => entry.invocation),
      untouched.map((entry) => entry.invocation),
    );
  }

  #exited(entry: RunningInvocation, exit: ExitedMessage): void {
    if (!this.#running.has(entry.frameId)) return;
    const { invocation } = entry;
    if (!invocation.answered && exit.signal === 'SIGKILL' && !entry.isCancelled) {
      void this.#killed(entry, exit);
      return;
    }
    if (!invocation.answered) {
      if (exit.signal === undefined && exit.code === 0) this.#guard(entry, () => entry.assembly.nothing());
      else failInvocation(invocation, errors.scriptFailed(this.version.functionName, exit));
    }
    this.#over(entry);
  }

  /** By itself, by somebody in its sandbox, or by the kernel for want of memory: then the template, which is smaller, goes on. */
  async #killed(entry: RunningInvocation, exit: ExitedMessage): Promise<void> {
    const outOfMemory = await this.#limits.ofKilledScript(this.#sandbox as Sandbox);
    if (!this.#running.has(entry.frameId)) return;
    failInvocation(entry.invocation, outOfMemory ?? errors.scriptFailed(this.version.functionName, exit));
    this.#over(entry);
  }

  #over(entry: RunningInvocation): void {
    entry.finish();
    this.#completed++;
    this.#running.delete(entry.frameId);
    const { correlationId } = entry.invocation.input;
    // The control plane's trigger may name one id twice: the later run has it now.
    if (this.#byCorrelation.get(correlationId) === entry) this.#byCorrelation.delete(correlationId);
    entry.invocation.over = true;
    const [next] = this.#running.values();
    if (!next) this.idleSince = performance.now();
    else if (!next.begun) this.#begin(next);
    this.#owner.onOver(this, entry.invocation);
    if (this.#phase === 'draining' && this.#running.size === 0) this.kill(this.#stopReason ?? 'drained');
    else if (this.#running.size > 0 && this.#allCondemned()) this.kill('cancelled invocations did not end');
  }

  /** A cancelled invocation did not confirm: the instance goes, as soon as nothing else in it is wanted. */
  #condemn(): void {
    this.retire('a cancelled invocation did not end');
    if (this.version.style === 'script' || this.#allCondemned()) this.kill('a cancelled invocation did not end');
  }

  #allCondemned(): boolean {
    for (const entry of this.#running.values()) if (entry.begun && !entry.isCancelled) return false;
    return this.#phase === 'draining';
  }

  /** @throws ProtocolError when its turn has not come: a runtime that keeps the order says nothing about it */
  #inTurn(id: number): RunningInvocation | undefined {
    const entry = this.#running.get(id);
    if (entry && !entry.begun) throw new ProtocolError(`a reply to invocation ${id}, whose turn has not come`);
    return entry;
  }

  #answerable(id: number): RunningInvocation | undefined {
    const entry = this.#inTurn(id);
    return entry && !entry.invocation.answered ? entry : undefined;
  }

  /** An answer that can't be sent fails its invocation, and nobody waits for the rest of it. */
  #guard(entry: RunningInvocation, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof HearthError)) throw error;
      failInvocation(entry.invocation, error);
      this.cancel(entry.invocation, 'reply_refused');
    }
  }

  #startIdleClock(entry: RunningInvocation): void {
    const { streamIdleMs } = this.#parts.settings;
    entry.startIdleClock(streamIdleMs, () => {
      entry.invocation.state = 'timed_out';
      failInvocation(entry.invocation, errors.streamPaused(this.version.functionName, streamIdleMs));
      this.cancel(entry.invocation, 'deadline');
    });
  }

  #clearStartTimer(): void {
    if (this.#startTimer) clearTimeout(this.#startTimer);
    this.#startTimer = null;
  }
}

/** What its sandboxes have in common; undefined when one of its layers is gone. */
export function kindOf(parts: Pick<InstanceParts, 'layers' | 'settings'>, version: FunctionVersion): SandboxKind | undefined {
  const layers: string[] = [];
  for (const id of version.layers) {
    const layer = parts.layers.byId(id);
    if (!layer) return undefined;
    layers.push(layer.path);
  }
  return { runtime: version.runtime, layers, network: version.network, tmpBytes: parts.settings.tmpBytes };
}
