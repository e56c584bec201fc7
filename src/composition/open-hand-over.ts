import { availableParallelism } from 'node:os';
import type { BrokerConnection } from '../amqp/broker-connection.ts';
import { createHandOver, type HandOverSettings, type HandOvers } from '../cluster/hand-over/create-hand-over.ts';
import type { InstanceRoom } from '../scheduler/instance-room.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';

export interface HandOverOptions extends Pick<HandOverSettings, 'node' | 'cluster' | 'version' | 'record' | 'maxReplyBytes' | 'log'> {
  /** Of its own: frames must not wait behind what else goes to the broker. Closed by whoever made it, after `close`. */
  connection: BrokerConnection;
  scheduler: Scheduler;
  room: Pick<InstanceRoom, 'free'>;
}

/** What lets this node's gateway hand calls over to other nodes, and takes over theirs. Nothing is connected before `start`. */
export function openHandOver({ scheduler, room, ...options }: HandOverOptions): HandOvers {
  return createHandOver({ ...options, runner: scheduler, room: () => room.free, cores: availableParallelism() });
}
