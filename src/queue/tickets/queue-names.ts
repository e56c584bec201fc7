import type { LaneKey } from '../durable-queue.ts';

/** Of all names in AMQP 0-9-1. Bytes. */
const MAX_NAME_BYTES = 255;

/** What the queues of tickets are called on the broker: `PREFIX.FUNCTION@VERSION`, and `PREFIX.dead`. Functions have no `@` in their names, so that these differ. */
export class QueueNames {
  readonly #prefix: string;

  /** @throws RangeError when it is not of 1 to 64 letters, digits, `_`, `-` and `.`, or is one that the broker keeps for itself */
  constructor(prefix: string) {
    if (!/^(?!amq\.)[A-Za-z0-9_.-]{1,64}$/.test(prefix)) throw new RangeError(`'${prefix}' can't begin the names of queues`);
    this.#prefix = prefix;
  }

  get dead(): string {
    return `${this.#prefix}.dead`;
  }

  /** @throws RangeError when the function's name is too long, which none is that can be registered */
  of({ functionName, versionNumber }: LaneKey): string {
    const name = `${this.#prefix}.${encodeURIComponent(functionName)}@${versionNumber}`;
    if (name.length > MAX_NAME_BYTES) throw new RangeError(`the queue of ${functionName} has a name of more than ${MAX_NAME_BYTES} bytes`);
    return name;
  }

  /** @returns null when it is no name of such a queue */
  laneOf(queue: string): LaneKey | null {
    const begin = `${this.#prefix}.`;
    const [, encoded = '', digits = ''] = /^([^@]+)@([1-9]\d{0,14})$/.exec(queue.startsWith(begin) ? queue.slice(begin.length) : '') ?? [];
    if (encoded === '') return null;
    try {
      return { functionName: decodeURIComponent(encoded), versionNumber: Number(digits) };
    } catch {
      return null;
    }
  }
}
