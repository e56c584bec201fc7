import { hash } from 'node:crypto';
import type { FunctionVersion } from '../schemas/function.ts';

/** A version with its percentage of the calls, 0 to 100. */
export interface WeightedVersion {
  readonly version: FunctionVersion;
  readonly weight: number;
}

/**
 * Which of several versions of one function a call gets. Immutable: a change of weights makes a new one.
 * The newest version has the first part of the scale, so that raising its weight keeps the sticky callers that it has already.
 */
export class VersionChooser {
  /** Lower case; null: every call is chosen for at random. */
  readonly stickyHeader: string | null;
  readonly #functionName: string;
  readonly #scale: readonly WeightedVersion[];
  readonly #byNumber: ReadonlyMap<number, FunctionVersion>;
  readonly #random: () => number;

  /**
   * @param versions weights sum to 100
   * @param current reached by its number too, whether it has a weight or not
   * @param random 0 to below 1
   */
  constructor(versions: readonly WeightedVersion[], current: FunctionVersion, stickyHeader: string | null, random: () => number) {
    this.#functionName = current.functionName;
    this.#scale = versions.filter(({ weight }) => weight > 0).sort((a, b) => b.version.number - a.version.number);
    this.#byNumber = new Map([current, ...versions.map(({ version }) => version)].map((version) => [version.number, version]));
    this.stickyHeader = stickyHeader;
    this.#random = random;
  }

  /** @param stickyValue of the sticky header; undefined when the call has none */
  choose(stickyValue: string | undefined): FunctionVersion {
    let point = 100 * (stickyValue === undefined || this.stickyHeader === null ? this.#random() : stickyPoint(this.#functionName, stickyValue));
    const last = this.#scale.length - 1;
    for (let index = 0; index < last; index++) {
      const { version, weight } = this.#scale[index] as WeightedVersion;
      if (point < weight) return version;
      point -= weight;
    }
    return (this.#scale[last] as WeightedVersion).version;
  }

  /** One that is in service, whatever its weight. */
  named(number: number): FunctionVersion | undefined {
    return this.#byNumber.get(number);
  }
}

/**
 * 0 to below 1, the same on every machine and after every restart: the first 32 bits, big-endian, of SHA-256 over the function's name, a line feed and
 * the header's bytes, divided by 2³². (Node.js gives header values as Latin-1.)
 */
export function stickyPoint(functionName: string, value: string): number {
  return hash('sha256', Buffer.from(`${functionName}\n${value}`, 'latin1'), 'buffer').readUInt32BE(0) / 2 ** 32;
}
