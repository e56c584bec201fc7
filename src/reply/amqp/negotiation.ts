import { AmqpError } from './amqp-error.ts';
import type { ClientMethod } from './client-methods.ts';
import { CHANNEL_MAX, FRAME_MAX, FRAME_MIN } from './server-frames.ts';

/** What both sides hold to from connection.open on. */
export interface Negotiated {
  /** The highest channel number. */
  channelMax: number;
  /** Bytes of a frame, its overhead included. */
  frameMax: number;
  /** Seconds; 0: none. */
  heartbeat: number;
}

/** Any credentials will do: possession of the connection is the identity of the sandbox. @throws AmqpError NOT_ALLOWED, SYNTAX_ERROR */
export function checkStartOk(method: ClientMethod & { name: 'connection.start-ok' }): void {
  if (method.mechanism !== 'PLAIN' && method.mechanism !== 'AMQPLAIN') {
    throw new AmqpError('ACCESS_REFUSED', `authentication mechanism '${method.mechanism}' was not offered`);
  }
}

/** A client may lower what we offered, not raise it; 0 asks for no limit, which is more than we offered (1.4.2.5, 1.4.2.6). @throws AmqpError NOT_ALLOWED */
export function checkTuneOk(method: ClientMethod & { name: 'connection.tune-ok' }): Negotiated {
  const { channelMax, frameMax, heartbeat } = method;
  if (channelMax === 0 || channelMax > CHANNEL_MAX) {
    throw new AmqpError('NOT_ALLOWED', `negotiated channel_max = ${channelMax} is higher than the maximum allowed value (${CHANNEL_MAX})`);
  }
  if (frameMax === 0 || frameMax > FRAME_MAX) {
    throw new AmqpError('NOT_ALLOWED', `negotiated frame_max = ${frameMax} is higher than the maximum allowed value (${FRAME_MAX})`);
  }
  if (frameMax < FRAME_MIN) {
    throw new AmqpError('NOT_ALLOWED', `negotiated frame_max = ${frameMax} is lower than the minimum allowed value (${FRAME_MIN})`);
  }
  return { channelMax, frameMax, heartbeat };
}
