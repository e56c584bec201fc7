/**
 * A node's share of what holds for all nodes together: limits are divided by the number of those that are up. One for the whole process, read wherever a
 * limit is looked at; a platform of one node never changes it.
 */
export class LimitShare {
  #nodes = 1;

  /** How many nodes share, 1 or more. */
  get nodes(): number {
    return this.#nodes;
  }

  set nodes(count: number) {
    this.#nodes = Math.max(1, count);
  }

  /** This node's part of a whole number, rounded up: of what is above 0 every node has one at least, and all together have less than one each too many. */
  of(limit: number): number {
    return this.#nodes === 1 ? limit : Math.ceil(limit / this.#nodes);
  }
}
