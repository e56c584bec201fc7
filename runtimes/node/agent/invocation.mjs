import { IncomingBody } from './body.mjs';
import { Link } from './link.mjs';
import { Handshake } from './websocket.mjs';

/** One call: receiving → waiting → running → over. One whose body comes in pieces waits or runs while it receives. */
export class Invocation {
  constructor(id, invoke, channel) {
    this.id = id;
    this.invoke = invoke;
    /** Of a body that is gathered first. */
    this.missing = invoke.bodyLength ?? 0;
    this.pieces = [];
    /** What takes a body that comes in pieces: an IncomingBody or a Handshake; null: it is gathered. */
    this.incoming = invoke.bodyLength === null ? incomingOf(invoke, new Link(channel, id)) : null;
    this.over = false;
    this.controller = null;
  }

  /** Made when somebody asks. */
  get abort() {
    this.controller ??= new AbortController();
    return this.controller;
  }

  get raw() {
    return this.pieces.length === 1 ? this.pieces[0] : Buffer.concat(this.pieces);
  }

  /** A body that is to be read in pieces, whether it came so or not. */
  get body() {
    return this.streams ? this.incoming : IncomingBody.whole(this.pieces);
  }

  get streams() {
    return this.incoming instanceof IncomingBody;
  }

  get handshake() {
    return this.incoming instanceof Handshake ? this.incoming : null;
  }

  /** For the function; null: this is no handshake. */
  get offer() {
    return this.handshake?.offer ?? null;
  }
}

function incomingOf(invoke, link) {
  if (invoke.upgrade === 'websocket') return new Handshake(link, invoke.headers);
  return new IncomingBody((bytes) => link.credit(bytes));
}
