import type { HearthError } from '../errors.ts';
import type { Invocation, ReplySink } from '../scheduler/invocation.ts';

/**
 * Several functions on one event key: all run, the first answer wins, a failure counts only when nobody is left who might answer. Each invocation gets a
 * sink of its own from `branch`; what the losers answer goes nowhere but to their records.
 */
export class FanOut {
  readonly #target: ReplySink;
  #left: number;
  #winner: Branch | null = null;

  constructor(target: ReplySink, count: number) {
    this.#target = target;
    this.#left = count;
  }

  branch(): ReplySink {
    return new Branch(this);
  }

  /** The sink to write to when this branch has won, or wins now; null when it has lost. */
  claim(branch: Branch): ReplySink | null {
    this.#winner ??= branch;
    return this.#winner === branch ? this.#target : null;
  }

  failed(branch: Branch, invocation: Invocation, error: HearthError): void {
    this.#left--;
    if (this.#winner === branch || (this.#winner === null && this.#left === 0)) this.#target.fail(invocation, error);
  }
}

class Branch implements ReplySink {
  readonly #fanOut: FanOut;

  constructor(fanOut: FanOut) {
    this.#fanOut = fanOut;
  }

  reply(invocation: Invocation, status: number, headers: readonly string[], body: Buffer): void {
    this.#fanOut.claim(this)?.reply(invocation, status, headers, body);
  }

  start(invocation: Invocation, status: number, headers: readonly string[]): void {
    this.#fanOut.claim(this)?.start(invocation, status, headers);
  }

  write(chunk: Buffer): boolean {
    return this.#fanOut.claim(this)?.write(chunk) ?? true;
  }

  onceDrained(callback: () => void): void {
    this.#fanOut.claim(this)?.onceDrained(callback);
  }

  end(): void {
    this.#fanOut.claim(this)?.end();
  }

  fail(invocation: Invocation, error: HearthError): void {
    this.#fanOut.failed(this, invocation, error);
  }
}
