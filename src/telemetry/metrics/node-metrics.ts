import type { NodeState } from '../../cluster/nodes/node-book.ts';
import type { PulledMetric } from './metric.ts';

const STATES: readonly NodeState[] = ['starting', 'up', 'draining'];

/** @param states of all nodes, as this one knows them */
export function nodeMetrics(states: () => Iterable<NodeState>): PulledMetric[] {
  return [
    {
      name: 'hearth_nodes',
      help: 'Nodes that work together, by state, as this one knows them.',
      type: 'gauge',
      read() {
        const counts = new Map<NodeState, number>(STATES.map((state) => [state, 0]));
        for (const state of states()) counts.set(state, (counts.get(state) ?? 0) + 1);
        return [...counts].map(([state, value]) => ({ labels: { state }, value }));
      },
    },
  ];
}
