import type { NodeAddresses, NodeBook, NodeLabel, NodeMeasure, NodeRecord } from './node-book.ts';
import { OwnNode } from './own-node.ts';

/** The book of a platform that is alone. */
export class SingleNode implements NodeBook {
  readonly up = 1;
  readonly #own: OwnNode;

  constructor(label: NodeLabel, measure: () => NodeMeasure) {
    this.#own = new OwnNode(label, measure);
  }

  get self(): NodeRecord {
    return this.#own.record();
  }

  get asOf(): number {
    return Date.now();
  }

  async start(): Promise<void> {}

  announce(addresses: NodeAddresses): void {
    this.#own.announce(addresses);
  }

  list(): readonly NodeRecord[] {
    return [this.#own.record()];
  }

  onChanged(): void {}

  onGone(): void {}

  async drain(): Promise<void> {
    this.#own.drain();
  }

  async close(): Promise<void> {}
}
