import { HearthError } from '../errors.ts';
import { ProtocolError } from '../protocol/frame.ts';
import type { ExitedMessage, ReplyHeadMessage, RuntimeErrorMessage } from '../protocol/messages.ts';
import type { RuntimeChannel } from '../protocol/runtime-channel.ts';
import type { ReplyMessage, ReplyQueues } from '../reply/endpoint.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { Mask } from '../secrets/mask.ts';
import { BodyFeed } from './body-feed.ts';
import { maskError } from './function-secrets.ts';
import * as errors from './instance-errors.ts';
import type { Invocation } from './invocation.ts';
import { failInvocation } from './reply-assembly.ts';
import { ReplyWindow } from './reply-window.ts';
import { RunningInvocation } from './running-invocation.ts';

export interface WorkSettings {
  /** Milliseconds for a cancelled invocation to confirm. */
  cancelGraceMs: number;
  /** Milliseconds that a streamed reply may pause for. */
  streamIdleMs: number;
  /** Bytes of a buffered reply. */
  maxReplyBytes: number;
}

/** What the work needs of the instance that does it. */
export interface WorkOwner {
  readonly id: string;
  readonly version: FunctionVersion;
  channel(): RuntimeChannel;
  mask(): Mask | undefined;
  /** Milliseconds that booting and loading took. */
  startTimes(): { bootMs: number; initMs: number };
  /** An invocation is over and its slot is free. */
  onOver(invocation: Invocation): void;
  /** Nothing in it can be ended but together with it. */
  onStuck(reason: string): void;
  /** Takes nothing new from now on. */
  retire(reason: string): void;
  /** Whether it takes nothing new. */
  isDraining(): boolean;
  /** Where scripts answer by the queues of a broker. */
  readonly replyQueues: ReplyQueues | null;
  /** Resolves once the broker has taken what processes that have ended had sent to it. */
  brokerHasTaken(): Promise<void>;
  /** Why a process of a script was killed, or has given up, if it was for want of memory. */
  outOfMemory(signal: string | undefined, logs: string | null): Promise<HearthError | undefined>;
}

/**
 * The invocations that one instance has in hand: those that run, as many as its concurrency, and behind them those whose turn has not come. Turns what the
 * runtime says about them into answers.
 */
export class WorkInHand {
  readonly #owner: WorkOwner;
  readonly #settings: WorkSettings;
  readonly #all = new Map<number, RunningInvocation>();
  readonly #byCorrelation = new Map<string, RunningInvocation>();
  /** Invocations at a time; known once the runtime is ready. */
  concurrency = 1;
  #begun = 0;
  #completed = 0;

  constructor(owner: WorkOwner, settings: WorkSettings) {
    this.#owner = owner;
    this.#settings = settings;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Invocations that had their turn, whatever came of it. */
  get begun(): number {
    return this.#begun;
  }

  /** Invocations that came to an end by themselves, whichever. */
  get completed(): number {
    return this.#completed;
  }

  has(id: number): boolean {
    return this.#all.has(id);
  }

  /** Of that frame id, if its turn has come and it is not over. */
  running(id: number): Invocation | undefined {
    const entry = this.#all.get(id);
    return entry?.begun && !entry.isCancelled ? entry.invocation : undefined;
  }

  hasCorrelation(correlationId: string): boolean {
    return this.#byCorrelation.has(correlationId);
  }

  /** Sends it to the runtime; its turn has come at once when less than `concurrency` are there. */
  take(invocation: Invocation): void {
    const { input, version } = invocation;
    const isItsTurn = this.#all.size < this.concurrency;
    const frameId = this.#owner.channel().invoke(
      {
        correlationId: input.correlationId,
        instanceId: this.#owner.id,
        verb: input.verb,
        path: input.path,
        rawPath: input.rawPath,
        query: input.query,
        params: input.params,
        headers: input.headers,
        scriptBody: input.scriptBody,
        messageType: input.messageType,
        bodyLength: input.source ? null : (input.body?.length ?? 0),
        upgrade: input.upgrade,
        deadline: invocation.deadline,
      },
      input.body,
    );
    invocation.instanceId = this.#owner.id;
    const entry = new RunningInvocation(frameId, invocation, this.#settings.maxReplyBytes);
    if (input.source) entry.feed = new BodyFeed(this.#owner.channel(), frameId, input.source, () => entry.refreshIdleClock());
    this.#all.set(frameId, entry);
    if (version.style === 'script') this.#expectMessage(entry);
    if (isItsTurn) this.#begin(entry);
  }

  /**
   * Nobody wants this invocation's answer any more. A script's processes are killed by the runtime; a handler that is alone in its instance is killed with
   * it, at once when its deadline passed, else after a grace in which it may end by itself and keep the instance warm.
   */
  cancel(invocation: Invocation, reason: 'deadline' | 'client_gone' | 'reply_refused'): void {
    const entry = [...this.#all.values()].find((one) => one.invocation === invocation);
    if (!entry || entry.isCancelled) return;
    // What waits in the channel can't be taken back; it is told when its turn has come.
    if (entry.begun) this.#interrupt(entry, reason);
    else entry.unwanted = true;
  }

  /** What the sandbox wrote outside of any invocation's frames: with one at a time there is no doubt whose it is. @returns whose */
  onOutput(chunk: Buffer): Invocation | undefined {
    const invocation = this.#runsOne ? this.#all.values().next().value?.invocation : undefined;
    invocation?.log(chunk, this.#owner.mask());
    return invocation;
  }

  /** @returns whose it is */
  onLog(id: number, chunk: Buffer): Invocation | undefined {
    const invocation = this.#all.get(id)?.invocation;
    invocation?.log(chunk, this.#owner.mask());
    return invocation;
  }

  /** A script's answer, by way of the reply endpoint. */
  onMessage(correlationId: string, message: ReplyMessage): void {
    const entry = this.#byCorrelation.get(correlationId);
    if (!entry || entry.invocation.answered) return;
    this.#guard(entry, () => entry.assembly.message(message));
  }

  /** @throws ProtocolError, as the other replies, for one whose turn has not come */
  onReplyHead(id: number, head: ReplyHeadMessage): void {
    const entry = this.#answerable(id);
    if (!entry) return;
    this.#guard(entry, () => entry.assembly.head(head));
    if (!entry.assembly.streaming || entry.invocation.answered) return;
    if (entry.assembly.upgraded) this.#upgraded(entry);
    this.#startIdleClock(entry);
  }

  onReplyBody(id: number, chunk: Buffer): void {
    const entry = this.#answerable(id);
    if (!entry) return;
    entry.refreshIdleClock();
    if (entry.window) {
      entry.window.pass(chunk);
      return;
    }
    this.#guard(entry, () => {
      if (!entry.assembly.body(chunk)) entry.holdReading(this.#owner.channel());
    });
  }

  onReplyEnd(id: number): void {
    const entry = this.#inTurn(id);
    if (!entry) return;
    if (!entry.invocation.answered) this.#guard(entry, () => entry.assembly.end());
    this.#over(entry);
  }

  /** @throws ProtocolError for what was not sent */
  onInvokeCredit(id: number, bytes: number): void {
    const entry = this.#all.get(id);
    if (!entry) return;
    if (!entry.feed) throw new ProtocolError(`credit for the body of invocation ${id}, which is not streamed`);
    entry.feed.credit(bytes);
  }

  onFailed(id: number, error: RuntimeErrorMessage): void {
    const entry = this.#inTurn(id);
    if (!entry) return;
    failInvocation(entry.invocation, errors.failed(this.#owner.version.functionName, maskError(error, this.#owner.mask())));
    this.#over(entry);
  }

  onExited(id: number, exit: ExitedMessage): void {
    const entry = this.#all.get(id);
    if (!entry) return;
    // What the script published last may still be on its way through the reply endpoint.
    if (entry.invocation.answered) this.#exited(entry, exit);
    else if (entry.queue) void this.#fence(entry, exit);
    else setImmediate(() => this.#exited(entry, exit));
  }

  /** The instance has stopped. @returns those that it was at, failed, and those whose turn had not come */
  abandon(error: HearthError): { orphans: Invocation[]; untouched: Invocation[] } {
    const orphans: Invocation[] = [];
    const untouched: Invocation[] = [];
    for (const entry of this.#all.values()) {
      entry.stop();
      this.#endMessages(entry);
      const { invocation } = entry;
      if (!entry.begun && !entry.unwanted) {
        untouched.push(invocation);
        continue;
      }
      failInvocation(invocation, error);
      invocation.over = true;
      orphans.push(invocation);
    }
    this.#all.clear();
    this.#byCorrelation.clear();
    return { orphans, untouched };
  }

  /** A script answers by a message: to the endpoint, which asks whether it is expected, or to a queue of the broker. */
  #expectMessage(entry: RunningInvocation): void {
    const { correlationId, leavesReply } = entry.invocation.input;
    const { replyQueues } = this.#owner;
    if (!replyQueues) this.#byCorrelation.set(correlationId, entry);
    else if (!leavesReply) {
      entry.queue = replyQueues.open(correlationId, {
        onMessage: (message) => {
          if (!entry.invocation.answered) this.#guard(entry, () => entry.assembly.message(message));
          if (entry.exit) this.#exited(entry, entry.exit);
        },
        onLost: (error) => this.#messagesLost(entry, error),
      });
    }
  }

  #messagesLost(entry: RunningInvocation, error: HearthError): void {
    if (entry.invocation.answered || !this.#all.has(entry.frameId)) return;
    failInvocation(entry.invocation, error);
    this.cancel(entry.invocation, 'reply_refused');
  }

  /** The script has ended. What it published may be on its way to the broker, in it, or from it to us: only then it is known what it said. */
  async #fence(entry: RunningInvocation, exit: ExitedMessage): Promise<void> {
    entry.exit = exit;
    await this.#owner.brokerHasTaken();
    if (!entry.invocation.answered) await entry.queue?.settled();
    this.#exited(entry, exit);
  }

  #endMessages(entry: RunningInvocation): void {
    if (entry.queue) entry.queue.close(this.#owner.brokerHasTaken());
    else if (entry.invocation.input.leavesReply) this.#owner.replyQueues?.leaveToClient(entry.invocation.input.correlationId);
  }

  #begin(entry: RunningInvocation): void {
    const { invocation } = entry;
    entry.begun = true;
    this.#begun++;
    invocation.dispatchedTick = performance.now();
    if (invocation.start === 'cold') {
      const { bootMs, initMs } = this.#owner.startTimes();
      invocation.bootMs = bootMs;
      invocation.initMs = initMs;
    }
    if (entry.unwanted) {
      this.#interrupt(entry, 'client_gone');
      return;
    }
    invocation.state = 'running';
    invocation.clock = 'run';
    invocation.sink.dispatched?.(invocation);
    // Of a WebSocket nothing is read before it was accepted.
    if (!invocation.input.upgrade) entry.feed?.open();
  }

  #interrupt(entry: RunningInvocation, reason: 'deadline' | 'client_gone' | 'reply_refused'): void {
    entry.stop();
    if (entry.exit) {
      this.#over(entry);
      return;
    }
    // What runs in a handler, or in a runtime of AWS Lambda, can't be interrupted; a server sees that its connection was closed.
    const isHandler = this.#owner.version.style === 'handler' || this.#owner.version.style === 'lambda';
    if (isHandler && reason === 'deadline' && this.#runsOne) {
      this.#owner.onStuck('an invocation passed its deadline');
      return;
    }
    this.#owner.channel().cancel(entry.frameId, reason);
    const { cancelGraceMs } = this.#settings;
    entry.startGrace(isHandler && reason === 'client_gone' ? 4 * cancelGraceMs : cancelGraceMs, () => this.#condemn());
  }

  /** A cancelled invocation did not confirm, and be it that the machine is slow: the instance goes, as soon as nothing else in it is wanted. */
  #condemn(): void {
    const reason = 'a cancelled invocation did not end';
    this.#owner.retire(reason);
    if (this.#allCondemned()) this.#owner.onStuck(reason);
  }

  #allCondemned(): boolean {
    for (const entry of this.#all.values()) if (entry.begun && !entry.isCancelled) return false;
    return this.#owner.isDraining();
  }

  /** What waits in the channel aside. */
  get #runsOne(): boolean {
    return this.concurrency === 1 || this.#all.size === 1;
  }

  #exited(entry: RunningInvocation, exit: ExitedMessage): void {
    if (!this.#all.has(entry.frameId)) return;
    const { invocation } = entry;
    if (!invocation.answered && (exit.signal === 'SIGKILL' || exit.signal === 'SIGABRT') && !entry.isCancelled) {
      void this.#killed(entry, exit);
      return;
    }
    if (!invocation.answered) {
      if (exit.signal === undefined && exit.code === 0) this.#guard(entry, () => entry.assembly.nothing());
      else failInvocation(invocation, errors.scriptFailed(this.#owner.version.functionName, exit));
    }
    this.#over(entry);
  }

  /** By itself, by somebody in its sandbox, or by the kernel for want of memory: then the template, which is smaller, goes on. */
  async #killed(entry: RunningInvocation, exit: ExitedMessage): Promise<void> {
    const outOfMemory = await this.#owner.outOfMemory(exit.signal, entry.invocation.logs?.text() ?? null);
    if (!this.#all.has(entry.frameId)) return;
    failInvocation(entry.invocation, outOfMemory ?? errors.scriptFailed(this.#owner.version.functionName, exit));
    this.#over(entry);
  }

  #over(entry: RunningInvocation): void {
    entry.finish();
    this.#endMessages(entry);
    this.#completed++;
    this.#all.delete(entry.frameId);
    const { correlationId } = entry.invocation.input;
    // The control plane's trigger may name one id twice: the later run has it now.
    if (this.#byCorrelation.get(correlationId) === entry) this.#byCorrelation.delete(correlationId);
    entry.invocation.over = true;
    const next = this.#all.values().next().value;
    if (next && !next.begun) this.#begin(next);
    this.#owner.onOver(entry.invocation);
    if (this.#all.size > 0 && this.#allCondemned()) this.#owner.onStuck('cancelled invocations did not end');
  }

  #inTurn(id: number): RunningInvocation | undefined {
    const entry = this.#all.get(id);
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
    const { streamIdleMs } = this.#settings;
    entry.startIdleClock(streamIdleMs, () => {
      entry.invocation.state = 'timed_out';
      failInvocation(entry.invocation, errors.streamPaused(this.#owner.version.functionName, streamIdleMs));
      // It can be told to a WebSocket in peace.
      if (entry.window) {
        entry.feed?.cutOff();
        this.cancel(entry.invocation, 'client_gone');
      } else this.cancel(entry.invocation, 'deadline');
    });
  }

  /** The function has accepted the WebSocket: it may last, and lives from what it carries. */
  #upgraded(entry: RunningInvocation): void {
    const { invocation } = entry;
    if (invocation.deadlineTimer) clearTimeout(invocation.deadlineTimer);
    invocation.deadlineTimer = null;
    // What it invokes from now on has all of its own time.
    invocation.deadline = Number.POSITIVE_INFINITY;
    entry.window = new ReplyWindow(this.#owner.channel(), entry.frameId, invocation.sink);
    entry.feed?.open();
  }
}
