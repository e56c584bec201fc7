import type { ReplyInbox } from '../endpoint.ts';
import { AmqpError } from './amqp-error.ts';
import { Channel, type ChannelHost } from './channel.ts';
import { ContentBudget } from './content-assembly.ts';
import { decodeMethod } from './decode-method.ts';
import { FRAME_HEADER } from './frame-parser.ts';
import { Names } from './names.ts';
import { CHANNEL_MAX, channelClose, channelCloseOk, channelOpenOk } from './server-frames.ts';

/** Large messages that one connection may have under way at a time, on different channels. */
const MESSAGES_UNDER_WAY = 2;

/**
 * The channels of one connection. A channel is: absent ─(open)→ open ─(close)→ absent;
 * open ─(it failed, our close)→ closing ─(close-ok)→ absent. What comes for a closing channel is skipped (1.5.2.5),
 * the rest of a message's content too, so that nothing of it is held in memory.
 */
export class Channels {
  /** The highest channel number, as negotiated. */
  max: number = CHANNEL_MAX;
  readonly #host: ChannelHost;
  readonly #channels = new Map<number, Channel | 'closing'>();

  constructor(inbox: ReplyInbox, maxMessageBytes: number, send: (frame: Buffer) => void) {
    const budget = new ContentBudget(maxMessageBytes * MESSAGES_UNDER_WAY);
    this.#host = { inbox, names: new Names(inbox), budget, maxMessageBytes, send };
  }

  dispose(): void {
    for (const channel of this.#channels.values()) if (channel !== 'closing') channel.dispose();
    this.#channels.clear();
  }

  /** @throws AmqpError the hard ones; a soft one has closed the channel */
  method(classId: number, methodId: number, number: number, args: Buffer): void {
    const channel = this.#channels.get(number);
    if (channel === 'closing') {
      this.#whileClosing(classId, methodId, number);
      return;
    }
    const method = decodeMethod(classId, methodId, args);
    if (method.name === 'channel.open') {
      this.#open(number, channel);
    } else if (channel === undefined) {
      // A close-ok too many is what remains when both sides close at once.
      if (method.name !== 'channel.close-ok') throw new AmqpError('CHANNEL_ERROR', `channel ${number} is not open`);
    } else if (method.name === 'channel.close') {
      channel.dispose();
      this.#channels.delete(number);
      this.#host.send(channelCloseOk(number));
    } else {
      this.#guard(number, channel, classId, methodId, () => channel.method(method));
    }
  }

  /** A content header or body frame. @throws AmqpError as `method` */
  content(type: number, number: number, payload: Buffer): void {
    const channel = this.#channels.get(number);
    if (channel === 'closing') return;
    if (channel === undefined) throw new AmqpError('CHANNEL_ERROR', `channel ${number} is not open`);
    this.#guard(number, channel, 60, 40, () => {
      if (type === FRAME_HEADER) channel.header(payload);
      else channel.body(payload);
    });
  }

  #open(number: number, channel: Channel | undefined): void {
    if (channel !== undefined) throw new AmqpError('CHANNEL_ERROR', `channel ${number} is open already`);
    if (number > this.max) throw new AmqpError('NOT_ALLOWED', `channel ${number} is above the negotiated channel_max (${this.max})`);
    this.#channels.set(number, new Channel(number, this.#host));
    this.#host.send(channelOpenOk(number));
  }

  #whileClosing(classId: number, methodId: number, number: number): void {
    if (classId !== 20) return;
    if (methodId === 40) this.#host.send(channelCloseOk(number));
    else if (methodId === 41) this.#channels.delete(number);
  }

  #guard(number: number, channel: Channel, classId: number, methodId: number, act: () => void): void {
    try {
      act();
    } catch (error) {
      channel.dispose();
      if (!(error instanceof AmqpError) || !error.soft) throw error;
      this.#channels.set(number, 'closing');
      this.#host.send(channelClose(number, error, classId, methodId));
    }
  }
}
