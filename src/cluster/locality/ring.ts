import { hash } from 'node:crypto';

/** Points of each node on the circle: with so many the shares of nodes differ by some ten per cent. */
const POINTS = 128;

/**
 * The circle of consistent hashing (Karger et al. 1997): nodes and functions are hashed to points on it, and a function is at home at the node whose point comes
 * next. A node that joins takes functions only to itself, one that leaves gives away only its own.
 */
export class Ring {
  /** In the order of the circle. */
  readonly #points: readonly { at: number; id: string }[];
  readonly #size: number;

  /** @param ids of nodes, in any order: the same nodes make the same ring everywhere */
  constructor(ids: Iterable<string>) {
    const unique = [...new Set(ids)];
    this.#size = unique.length;
    this.#points = unique
      .flatMap((id) => Array.from({ length: POINTS }, (_, point) => ({ at: pointOf(`${id}/${point}`), id })))
      .sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  }

  /** All nodes, as they are met from the function's point on. */
  order(functionName: string): string[] {
    const ids = new Set<string>();
    const from = this.#firstFrom(pointOf(functionName));
    for (let step = 0; ids.size < this.#size; step++) ids.add((this.#points[(from + step) % this.#points.length] as { id: string }).id);
    return [...ids];
  }

  #firstFrom(at: number): number {
    let low = 0;
    let high = this.#points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#points[middle] as { at: number }).at < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** 0 to below 2^48. */
function pointOf(text: string): number {
  return hash('sha1', text, 'buffer').readUIntBE(0, 6);
}
