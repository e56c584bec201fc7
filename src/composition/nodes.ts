import { availableParallelism } from 'node:os';
import type { LimitShare } from '../cluster/limit-share.ts';
import type { NodeBook, NodeMeasure } from '../cluster/nodes/node-book.ts';
import type { MemoryGauge } from '../scheduler/memory-gauge.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';

export interface MeasuredNode {
  scheduler: Pick<Scheduler, 'instances' | 'open' | 'waiting'>;
  memory: Pick<MemoryGauge, 'totalBytes'>;
  /** How many functions are in service. */
  functions: () => number;
  /** Bytes that instances may hold. */
  memoryBytes: number;
  maxInstances: number;
}

/** What a node tells of itself each second. */
export function measureNode({ scheduler, memory, functions, memoryBytes, maxInstances }: MeasuredNode): NodeMeasure {
  const { waiting } = scheduler;
  return {
    cores: availableParallelism(),
    memoryBytes,
    maxInstances,
    heldBytes: memory.totalBytes,
    instances: scheduler.instances().length,
    running: scheduler.open - waiting,
    waiting,
    functions: functions(),
  };
}

/** From now on limits are divided by the nodes that are up. */
export function shareLimits(nodes: Pick<NodeBook, 'up' | 'onChanged'>, share: LimitShare, scheduler: Pick<Scheduler, 'shareChanged'>): void {
  const divide = (up: number): void => {
    share.nodes = up;
    scheduler.shareChanged();
  };
  nodes.onChanged(divide);
  // Others were there before.
  if (nodes.up !== share.nodes) divide(nodes.up);
}
