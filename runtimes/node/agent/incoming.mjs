// What functions have that are registered for streams or WebSockets. Loaded for those alone: the others' sandboxes do without its memory.

import { IncomingBody } from './body.mjs';
import { Link } from './link.mjs';
import { Handshake } from './websocket.mjs';

export class Streams {
  #channel;
  #modes;

  constructor(channel, { streamBody = false, websocket = false }) {
    this.#channel = channel;
    this.#modes = { streamBody, websocket };
  }

  /** What takes the body of an Invoke that announces no length. */
  incoming(id, invoke) {
    const link = new Link(this.#channel, id);
    return invoke.upgrade === 'websocket' ? new Handshake(link, invoke.headers) : new IncomingBody((bytes) => link.credit(bytes));
  }

  addTo(message, { incoming, pieces }) {
    const body = incoming instanceof IncomingBody ? incoming : IncomingBody.whole(pieces);
    return addStreams(message, this.#modes, body, incoming?.offer ?? null);
  }
}

/** What a message has besides if its function is registered for it. @param offer of a Handshake; null: it is none */
export function addStreams(message, { streamBody, websocket }, body, offer) {
  if (streamBody) Object.assign(message, { body: null, raw_body: null, stream: body.toReadable() });
  if (websocket) message.websocket = offer;
  return message;
}
