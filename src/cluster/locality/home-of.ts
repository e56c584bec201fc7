import type { Ring } from './ring.ts';

/** A node, as far as it matters for what is at home there. */
export interface LoadedNode {
  readonly id: string;
  /** Calls that run there or wait. */
  readonly load: number;
  /** Calls that it takes without being the slower for it, whatever others have; 0 when left out. */
  readonly ease?: number;
}

/** How far above the mean a node's load may be before functions go to the next one. */
export const LOAD_BOUND = 1.25;

/**
 * Where instances of a function are to be gathered: consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam: "Consistent Hashing with Bounded
 * Loads", 2016). A hint: whoever follows it finds instances warm, whoever doesn't is served all the same.
 * @param ring of these nodes
 * @returns ids in the order of preference: as they stand on the ring, those that have `LOAD_BOUND` times the mean load behind those that haven't
 */
export function homeOf(functionName: string, nodes: readonly LoadedNode[], ring: Ring): string[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  let total = 0;
  for (const { load } of nodes) total += load;
  // The one that is looked for a place counts too, so that the bound always leaves one.
  const bound = Math.ceil((LOAD_BOUND * (total + 1)) / nodes.length);
  const order = ring.order(functionName);
  const isFull = (id: string): boolean => {
    const { load, ease = 0 } = byId.get(id) as LoadedNode;
    return load >= Math.max(bound, ease);
  };
  return [...order.filter((id) => !isFull(id)), ...order.filter(isFull)];
}
