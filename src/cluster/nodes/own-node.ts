import type { NodeAddresses, NodeLabel, NodeMeasure, NodeRecord, NodeState } from './node-book.ts';

/** What this process says of itself. */
export class OwnNode {
  readonly label: NodeLabel;
  readonly #measure: () => NodeMeasure;
  #addresses: NodeAddresses = { gatewayUrl: '', apiUrl: '' };
  #state: NodeState = 'starting';
  startedAt: number;

  constructor(label: NodeLabel, measure: () => NodeMeasure) {
    this.label = label;
    this.#measure = measure;
    this.startedAt = Date.now();
  }

  get state(): NodeState {
    return this.#state;
  }

  announce(addresses: NodeAddresses): void {
    this.#addresses = addresses;
    if (this.#state === 'starting') this.#state = 'up';
  }

  drain(): void {
    this.#state = 'draining';
  }

  record(): NodeRecord {
    return {
      ...this.label,
      ...this.#addresses,
      state: this.#state,
      startedAt: this.startedAt,
      seenAt: Date.now(),
      measure: this.#measure(),
    };
  }
}
