import { HearthError } from '../../errors.ts';
import { Invocation, type InvocationInput, type ReplySink } from '../../scheduler/invocation.ts';
import type { Outlook } from '../../scheduler/outlook.ts';
import type { FunctionStyle, FunctionVersion } from '../../schemas/function.ts';
import { homeOf } from '../locality/home-of.ts';
import { Ring } from '../locality/ring.ts';
import { versionKey } from './advert.ts';
import { decide, type Reason } from './decide.ts';
import { decodeFrame, encodeFrame, refusedHead } from './frame.ts';
import { HandedCall } from './handed-call.ts';
import type { Incoming, Link } from './link.ts';
import { OwnStarts } from './own-starts.ts';
import type { Peer, Peers } from './peers.ts';
import { requestFrame } from './request-frame.ts';
import { ReturnedSink } from './returned-sink.ts';

/** What runs functions on this node: the scheduler. */
export interface Runner {
  submit(input: InvocationInput, version: FunctionVersion, sink: ReplySink): Invocation;
  cancel(invocation: Invocation): void;
  fail(invocation: Invocation, error: HearthError): void;
  hangUp(invocation: Invocation): void;
  isFree(version: FunctionVersion): boolean;
  outlook(version: FunctionVersion, guessedStartMs: number): Outlook;
  warm(version: FunctionVersion): Promise<void>;
  /** Calls that are not over. */
  readonly open: number;
}

export interface HandOverParts {
  node: { id: string; name: string };
  runner: Runner;
  link: Pick<Link, 'queue' | 'isOpen' | 'ask'>;
  peers: Peers;
  /** Of this node. */
  cores: number;
  /** Of an answer that comes whole. Bytes. */
  maxReplyBytes: number;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

/** `returned`: run here after all. `lost`: nobody knows what became of it. */
export const HANDED_OUTCOMES = ['answered', 'failed', 'cancelled', 'returned', 'lost'] as const;
export type HandedOutcome = (typeof HANDED_OUTCOMES)[number];

interface Open {
  call: HandedCall;
  reason: Reason;
  timer: NodeJS.Timeout;
  /** The other node has its place back. */
  free(): void;
}

/** Larger bodies stay where they are. Bytes. */
const MAX_BODY_BYTES = 1024 * 1024;
/** Calls that other nodes have in hand for this one. */
const MAX_OPEN = 4096;
/** The other node keeps the call's time; when nothing has come so long after its end, nothing will. Milliseconds. */
const GRACE_MS = 2000;
/** Where none has been measured. Milliseconds. */
const GUESSED_START_MS: Readonly<Record<FunctionStyle, number>> = { handler: 80, script: 80, server: 500, lambda: 300 };

/**
 * Stands between the gateway and the scheduler of a node among others. A call that a ready instance here takes at once goes there; of all others it is asked
 * whether another node would answer sooner (decide.ts). A call is handed over once at most, and begun once at most.
 */
export class HandOver {
  readonly #parts: HandOverParts;
  readonly #calls = new Map<string, Open>();
  /** What runs here in the place of what `submit` gave back. */
  readonly #returned = new WeakMap<Invocation, Invocation>();
  readonly #own = new OwnStarts();
  #ring = { of: '', ring: new Ring([]) };
  #onEmpty: (() => void) | null = null;
  readonly counts: Record<Reason, Record<HandedOutcome, number>> = { warm: noneYet(), home: noneYet(), saturated: noneYet() };

  constructor(parts: HandOverParts) {
    this.#parts = parts;
  }

  /** Calls that other nodes have in hand. */
  get open(): number {
    return this.#calls.size;
  }

  submit(input: InvocationInput, version: FunctionVersion, sink: ReplySink): Invocation {
    const { runner } = this.#parts;
    if (runner.isFree(version)) return runner.submit(input, version, sink);
    return (this.#mayGo(input, version) ? this.#elsewhere(input, version, sink) : null) ?? runner.submit(input, version, sink);
  }

  cancel(invocation: Invocation): void {
    const handed = this.#calls.get(invocation.input.id);
    if (handed?.call.invocation !== invocation) {
      this.#parts.runner.cancel(this.#returned.get(invocation) ?? invocation);
      return;
    }
    this.#tellCancelled(handed.call);
    this.#close(invocation.input.id, 'cancelled');
    handed.call.fail(new HearthError('client_gone', 'The caller closed the connection before the answer.'));
  }

  /** Of bodies that are streamed, and WebSockets, which stay here. */
  fail(invocation: Invocation, error: HearthError): void {
    this.#parts.runner.fail(invocation, error);
  }

  hangUp(invocation: Invocation): void {
    this.#parts.runner.hangUp(invocation);
  }

  /** What a node said that runs a call of this one. */
  receive(frame: Incoming): void {
    const call = this.#calls.get(frame.id)?.call;
    if (!call) return;
    if (frame.type !== 'refused') {
      call.receive(frame);
      return;
    }
    const head = decodeFrame(frame.content)?.head;
    if (refusedHead.Check(head)) this.#runHere(call);
  }

  /** That queue is gone, and its node with it. @param returned id of a request that came back: it was never there */
  gone(queue: string, returned: string | null): void {
    for (const [id, { call }] of this.#calls) {
      if (call.peer.queue !== queue) continue;
      if (id === returned) this.#runHere(call);
      else this.#lose(call, nodeLost(call));
    }
  }

  /** The way to other nodes is gone: no answer comes any more. */
  lost(): void {
    for (const { call } of this.#calls.values()) {
      const what = `The connection to the broker was lost while the node ${call.peer.name} ran the function ${call.invocation.version.functionName} for this one. The function may have done its work.`;
      this.#lose(call, new HearthError('broker_lost', what));
    }
  }

  /** Queues of nodes that have calls of this one in hand. */
  *queues(): Generator<string> {
    for (const { call } of this.#calls.values()) yield call.peer.queue;
  }

  /** Resolves once no other node has a call of this one in hand, or after so many milliseconds. */
  async settled(timeoutMs: number): Promise<void> {
    if (this.#calls.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      timer = setTimeout(resolve, timeoutMs);
    });
    clearTimeout(timer);
    this.#onEmpty = null;
  }

  #mayGo(input: InvocationInput, version: FunctionVersion): boolean {
    if (input.source !== undefined || input.upgrade !== undefined || version.streamBody || input.scriptBody !== null) return false;
    return (input.body?.length ?? 0) <= MAX_BODY_BYTES && this.#calls.size < MAX_OPEN && this.#parts.link.isOpen;
  }

  #elsewhere(input: InvocationInput, version: FunctionVersion, sink: ReplySink): Invocation | null {
    const { runner, peers } = this.#parts;
    const now = performance.now();
    const fresh = peers.fresh(now);
    if (fresh.length === 0) return null;
    const key = versionKey(version);
    const guess = fresh.map((peer) => peer.startMs(key)).find((ms) => ms !== undefined) ?? GUESSED_START_MS[version.style];
    const outlook = runner.outlook(version, guess);
    const startMs = outlook.cold && outlook.mayGrow ? outlook.waitMs : guess;
    const byId = new Map(fresh.map((peer) => [peer.id, peer]));
    const order = this.#order(version.functionName, fresh).map((id) => {
      const peer = byId.get(id);
      return peer ? { id, freeSlots: peer.freeSlots(key), room: peer.room, roundTripMs: peer.roundTripMs } : null;
    });
    const decision = decide({ outlook, startMs, order });
    const peer = decision && byId.get(decision.to);
    if (!peer) return null;
    const invocation = this.#hand(input, version, sink, peer, decision.reason, outlook.waitMs);
    if (invocation && outlook.cold && outlook.mayGrow && this.#own.spent(key, peer.roundTripMs, startMs, now)) this.#startOwn(version);
    return invocation;
  }

  #order(functionName: string, fresh: readonly Peer[]): string[] {
    const { node, runner, cores } = this.#parts;
    const nodes = [{ id: node.id, load: runner.open, ease: cores }, ...fresh.map(({ id, load, cores }) => ({ id, load, ease: cores }))];
    const of = nodes
      .map(({ id }) => id)
      .sort()
      .join();
    if (this.#ring.of !== of) this.#ring = { of, ring: new Ring(nodes.map(({ id }) => id)) };
    return homeOf(functionName, nodes, this.#ring.ring);
  }

  /** Null: the way is gone in this very moment. */
  #hand(input: InvocationInput, version: FunctionVersion, sink: ReplySink, peer: Peer, reason: Reason, waitMs: number): Invocation | null {
    const { node, link, peers, maxReplyBytes } = this.#parts;
    const { id } = input;
    const invocation = new Invocation(input, version, sink, 'warm');
    const asker = { id: node.id, queue: link.queue as string };
    if (!link.ask(peer.queue, 'request', id, requestFrame(invocation, asker, waitMs), invocation.timeoutMs)) return null;
    const call: HandedCall = new HandedCall({
      invocation,
      peer,
      maxReplyBytes,
      credit: (bytes) => void link.ask(peer.queue, 'credit', id, encodeFrame({ bytes })),
      cancel: () => this.#tellCancelled(call),
      onAnswered: (wayMs) => peers.measured(peer.id, wayMs),
      onOver: (outcome) => this.#close(id, outcome),
    });
    const timer = setTimeout(() => this.#lose(call, tooLate(invocation)), invocation.timeoutMs + GRACE_MS);
    this.#calls.set(id, { call, reason, timer, free: peers.gave(peer.id, versionKey(version)) });
    return invocation;
  }

  /** So much is called for here that it is worth an instance; the call itself doesn't wait for it. */
  #startOwn(version: FunctionVersion): void {
    this.#parts.runner.warm(version).catch((error: Error) => {
      const fields = { function: version.functionName, version: version.number, reason: error.message };
      this.#parts.log.info(fields, 'an instance of what is handed over often could not be started');
    });
  }

  #runHere(call: HandedCall): void {
    const { invocation } = call;
    this.#close(invocation.input.id, 'returned');
    call.abandon();
    const timeoutMs = Math.max(1, invocation.deadline - Date.now());
    const sink = new ReturnedSink(invocation);
    this.#returned.set(invocation, this.#parts.runner.submit({ ...invocation.input, timeoutMs }, invocation.version, sink));
  }

  #lose(call: HandedCall, error: HearthError): void {
    const { invocation, peer } = call;
    const { functionName, number } = invocation.version;
    this.#parts.log.warn({ id: invocation.input.id, function: functionName, version: number, node: peer.name, error: error.code }, error.message);
    this.#tellCancelled(call);
    this.#close(invocation.input.id, 'lost');
    call.fail(error);
  }

  #tellCancelled({ peer, invocation }: HandedCall): void {
    this.#parts.link.ask(peer.queue, 'cancel', invocation.input.id, encodeFrame(null));
  }

  #close(id: string, outcome: HandedOutcome): void {
    const handed = this.#calls.get(id);
    if (!handed) return;
    this.#calls.delete(id);
    clearTimeout(handed.timer);
    handed.free();
    this.counts[handed.reason][outcome]++;
    if (this.#calls.size === 0) this.#onEmpty?.();
  }
}

function noneYet(): Record<HandedOutcome, number> {
  return { answered: 0, failed: 0, cancelled: 0, returned: 0, lost: 0 };
}

function nodeLost({ peer, invocation }: HandedCall): HearthError {
  return new HearthError(
    'node_lost',
    `The node ${peer.name} was lost while it ran the function ${invocation.version.functionName} for this one. The function may have done its work.`,
    { extra: { node: peer.name } },
  );
}

function tooLate({ version, timeoutMs }: Invocation): HearthError {
  return new HearthError('deadline_exceeded', `The function ${version.functionName} did not answer within its ${timeoutMs} ms on another node.`, {
    extra: { clock: 'run', timeout_ms: timeoutMs },
  });
}
