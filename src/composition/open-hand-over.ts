import { availableParallelism } from 'node:os';
import { brokerAddresses } from '../amqp/broker-address.ts';
import { BrokerConnection, type BrokerConnectionParts } from '../amqp/broker-connection.ts';
import { createHandOver, type HandOverSettings, type HandOvers } from '../cluster/hand-over/create-hand-over.ts';
import type { InstanceRoom } from '../scheduler/instance-room.ts';
import type { Scheduler } from '../scheduler/scheduler.ts';

/** A broker that hangs is noticed within three of these. */
const HEARTBEAT_S = 3;
const LONGEST_WAIT_MS = 3000;

export interface HandOverOptions
  extends Pick<HandOverSettings, 'node' | 'cluster' | 'version' | 'record' | 'maxReplyBytes' | 'log'>,
    Pick<BrokerConnectionParts, 'ca' | 'random'> {
  /** `amqp.url` of the configuration. */
  url: string;
  scheduler: Scheduler;
  room: Pick<InstanceRoom, 'free'>;
}

/**
 * What lets this node's gateway hand calls over to other nodes, and takes over theirs, by a connection of its own: answers must not wait behind what else goes to
 * the broker. Nothing is connected before `start`.
 * @throws HearthError invalid_config when the URL can't be read
 */
export function openHandOver({ url, ca, random, scheduler, room, ...options }: HandOverOptions): HandOvers {
  const parts = { ca, random, log: options.log, heartbeatS: HEARTBEAT_S, longestWaitMs: LONGEST_WAIT_MS };
  const connection = new BrokerConnection({ ...parts, addresses: brokerAddresses(url) });
  const handOvers = createHandOver({ ...options, connection, runner: scheduler, room: () => room.free, cores: availableParallelism() });
  return {
    invoker: handOvers.invoker,
    get readings() {
      return handOvers.readings;
    },
    start: () => handOvers.start(),
    drain: (timeoutMs) => handOvers.drain(timeoutMs),
    async close() {
      await handOvers.close();
      await connection.close();
    },
  };
}
