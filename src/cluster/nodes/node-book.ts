/**
 * Platforms that work together. The nouns:
 *
 * - **node**: one platform process.
 * - **up**: it takes calls. `starting`: not yet; `draining`: not any more, what runs there may end.
 * - **gone**: nobody has heard of it for a few seconds. It may be dead, or cut off.
 */

export type NodeState = 'starting' | 'up' | 'draining';

/** What a node can do, and what it is at. */
export interface NodeMeasure {
  /** Cores that it may use. */
  readonly cores: number;
  /** Bytes that instances may hold. */
  readonly memoryBytes: number;
  /** Instances at a time. */
  readonly maxInstances: number;
  /** Bytes that instances hold. */
  readonly heldBytes: number;
  readonly instances: number;
  /** Invocations that run. */
  readonly running: number;
  /** Invocations that wait for an instance. */
  readonly waiting: number;
  /** Functions that it has in service. */
  readonly functions: number;
}

export interface NodeLabel {
  /** A uuid that stays over restarts. */
  readonly id: string;
  /** For people; two nodes may have the same. */
  readonly name: string;
  /** Of the platform. */
  readonly version: string;
}

export interface NodeRecord extends NodeLabel {
  readonly state: NodeState;
  /** Milliseconds since the epoch, by the database's clock if there is one. */
  readonly startedAt: number;
  /** When it was last heard of. */
  readonly seenAt: number;
  /** Where others reach it; empty while it starts. */
  readonly gatewayUrl: string;
  readonly apiUrl: string;
  readonly measure: NodeMeasure;
}

export interface NodeAddresses {
  readonly gatewayUrl: string;
  readonly apiUrl: string;
}

/** Who is there. Nothing here is on the way of a request. */
export interface NodeBook {
  /** This node. */
  readonly self: NodeRecord;
  /** Puts this node into the list, as one that starts. @throws HearthError store_unavailable */
  start(): Promise<void>;
  /** It takes calls from now on. */
  announce(addresses: NodeAddresses): void;
  /** Those that are not gone, this one among them, by name. What was last heard, while nobody can be asked. */
  list(): readonly NodeRecord[];
  /** When that was heard. Milliseconds since the epoch, by this machine's clock. */
  readonly asOf: number;
  /** How many nodes are up; 1 at least. */
  readonly up: number;
  /** Another number of nodes is up. Called before anything is awaited. */
  onChanged(listener: (up: number) => void): void;
  /** Nodes were struck off that nobody has heard of for a minute: what they have left open is nobody's. Told on one node only. */
  onGone(listener: (ids: readonly string[]) => void): void;
  /** It takes no more calls, and others learn of it. Never rejects. */
  drain(): Promise<void>;
  /** It ends. Never rejects. */
  close(): Promise<void>;
}
