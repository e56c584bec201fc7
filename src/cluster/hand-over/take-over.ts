import type { Invocation, InvocationInput, ReplySink } from '../../scheduler/invocation.ts';
import type { Outlook } from '../../scheduler/outlook.ts';
import type { FunctionVersion } from '../../schemas/function.ts';
import type { InvocationRecord } from '../../schemas/records.ts';
import { isWelcome } from './decide.ts';
import { creditHead, decodeFrame, encodeFrame, requestHead } from './frame.ts';
import type { Incoming, Link } from './link.ts';
import { inputOf } from './request-frame.ts';
import { TakenCall } from './taken-call.ts';

export interface TakeOverParts {
  runner: {
    submit(input: InvocationInput, version: FunctionVersion, sink: ReplySink): Invocation;
    cancel(invocation: Invocation): void;
    outlook(version: FunctionVersion, guessedStartMs: number): Outlook;
  };
  link: Pick<Link, 'answer'>;
  /** Undefined when it isn't in service here. */
  version(functionName: string, number: number): FunctionVersion | undefined;
  record(record: InvocationRecord): void;
}

export const TAKEN_OUTCOMES = ['answered', 'failed', 'cancelled', 'refused'] as const;
export type TakenOutcome = (typeof TAKEN_OUTCOMES)[number];

/** Calls of other nodes at a time. */
const MAX_TAKEN = 1024;

interface Taken {
  call: TakenCall;
  /** Null in the moment in which it is submitted. */
  invocation: Invocation | null;
}

/** Calls that other nodes hand over to this one. Whatever can't be run soon is refused before it begins, so that it is run where it came from. */
export class TakeOver {
  readonly #parts: TakeOverParts;
  readonly #calls = new Map<string, Taken>();
  #draining = false;
  readonly counts: Record<TakenOutcome, number> = { answered: 0, failed: 0, cancelled: 0, refused: 0 };

  constructor(parts: TakeOverParts) {
    this.#parts = parts;
  }

  get open(): number {
    return this.#calls.size;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  /** Takes no more; what it has is the scheduler's to end. */
  drain(): void {
    this.#draining = true;
  }

  receive(frame: Incoming): void {
    const { type, id, content } = frame;
    if (type === 'request') {
      this.#request(frame);
      return;
    }
    const taken = this.#calls.get(id);
    if (!taken) return;
    if (type === 'cancel') this.#cancel(id, taken);
    else if (type === 'credit') {
      const head = decodeFrame(content)?.head;
      if (creditHead.Check(head)) taken.call.credit(head.bytes);
    }
  }

  /** That queue is gone, and its node with it: nobody wants these answers. */
  gone(queue: string): void {
    for (const [id, taken] of this.#calls) if (taken.call.askerQueue === queue) this.#cancel(id, taken);
  }

  /** The way to other nodes is gone: no answer can be given any more. */
  lost(): void {
    for (const [id, taken] of this.#calls) this.#cancel(id, taken);
  }

  /** Queues of nodes whose calls run here. */
  *queues(): Generator<string> {
    for (const { call } of this.#calls.values()) yield call.askerQueue;
  }

  #request({ id, replyTo, content }: Incoming): void {
    const { runner, link } = this.#parts;
    const refuse = (reason: string): void => {
      this.counts.refused++;
      link.answer(replyTo, 'refused', id, encodeFrame({ reason }));
    };
    const frame = decodeFrame(content);
    if (!frame || !requestHead.Check(frame.head)) {
      refuse('not_understood');
      return;
    }
    if (this.#draining) {
      refuse('draining');
      return;
    }
    if (this.#calls.size >= MAX_TAKEN) {
      refuse('full');
      return;
    }
    const { head, body } = frame;
    const version = this.#parts.version(head.functionName, head.versionNumber);
    if (!version) {
      refuse('unknown_version');
      return;
    }
    const waitMs = head.waitMs ?? Number.POSITIVE_INFINITY;
    // What isn't known of starts here is what the other node thinks of them.
    if (!isWelcome(runner.outlook(version, head.waitMs ?? 0), waitMs, head.timeoutMs)) {
      refuse('busy');
      return;
    }
    const call = new TakenCall({
      askerQueue: head.asker.queue,
      send: (type, frameContent) => link.answer(replyTo, type, id, frameContent),
      record: (record) => this.#parts.record(record),
      onOver: (outcome) => this.#close(id, outcome),
    });
    const taken: Taken = { call, invocation: null };
    this.#calls.set(id, taken);
    taken.invocation = runner.submit(inputOf(id, head, body), version, call);
  }

  #cancel(id: string, { call, invocation }: Taken): void {
    call.leave();
    // A script may go on after its answer: that is nobody's to cancel.
    if (invocation && !invocation.answered) this.#close(id, 'cancelled');
    if (invocation) this.#parts.runner.cancel(invocation);
  }

  #close(id: string, outcome: TakenOutcome): void {
    if (this.#calls.delete(id)) this.counts[outcome]++;
  }
}
