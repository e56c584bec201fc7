import type { HearthError } from '../../errors.ts';
import type { Invocation, ReplySink } from '../../scheduler/invocation.ts';

/** The answer of a call that was to be handed over and runs here after all: who asked has the invocation that was made for the other node, and is told by it what ran. */
export class ReturnedSink implements ReplySink {
  readonly #shown: Invocation;
  readonly #sink: ReplySink;

  /** @param shown what the caller of `submit` was given */
  constructor(shown: Invocation) {
    this.#shown = shown;
    this.#sink = shown.sink;
  }

  reply(invocation: Invocation, status: number, headers: readonly string[], body: Buffer): void {
    this.#sink.reply(this.#show(invocation), status, headers, body);
  }

  start(invocation: Invocation, status: number, headers: readonly string[]): void {
    this.#sink.start(this.#show(invocation), status, headers);
  }

  write(chunk: Buffer): boolean {
    return this.#sink.write(chunk);
  }

  onceDrained(callback: () => void): void {
    this.#sink.onceDrained(callback);
  }

  end(): void {
    this.#sink.end();
  }

  fail(invocation: Invocation, error: HearthError): void {
    this.#sink.fail(this.#show(invocation), error);
  }

  #show({ instanceId, start, bootMs, initMs, dispatchedTick, answeredTick, status, error, answered }: Invocation): Invocation {
    return Object.assign(this.#shown, { instanceId, start, bootMs, initMs, dispatchedTick, answeredTick, status, error, answered });
  }
}
