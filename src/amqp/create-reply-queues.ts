import { brokerAddresses } from './broker-address.ts';
import { BrokerConnection, type BrokerConnectionParts } from './broker-connection.ts';
import { Leftovers, type LeftoversParts } from './leftovers.ts';
import { ReplyQueues } from './reply-queues.ts';

/** A broker that hangs is noticed within two or three of these: callers wait. Seconds, at most. */
const HEARTBEAT_S = 5;
const LONGEST_WAIT_MS = 3000;

type Parts = Pick<BrokerConnectionParts, 'ca' | 'random' | 'heartbeatS'> &
  Pick<LeftoversParts, 'file' | 'keepMs' | 'clock'> & { maxMessageBytes: number; log: BrokerConnectionParts['log'] & LeftoversParts['log'] };

/**
 * The queues by which scripts answer, over a connection of their own: a broker that is short of memory stops reading from those that publish.
 * @param url `amqp.url` of the configuration
 * @throws HearthError invalid_config when it can't be read
 */
export function createReplyQueues(url: string, parts: Parts): ReplyQueues {
  const connection = new BrokerConnection({
    ...parts,
    addresses: brokerAddresses(url),
    heartbeatS: Math.min(HEARTBEAT_S, parts.heartbeatS ?? HEARTBEAT_S),
    longestWaitMs: LONGEST_WAIT_MS,
    onConnected: () => queues.connected(),
  });
  const queues = new ReplyQueues({ connection, leftovers: new Leftovers({ ...parts, connection }), maxMessageBytes: parts.maxMessageBytes });
  return queues;
}
