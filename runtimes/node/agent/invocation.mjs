import { FunctionError } from './errors.mjs';
import { encodeJson, FRAME, MAX_PAYLOAD } from './frames.mjs';

/** One call: receiving → waiting → running → over. One whose body comes in pieces waits or runs while it receives. */
export class Invocation {
  /** @param incoming what takes a body that comes in pieces: an IncomingBody or a Handshake; null: it is gathered */
  constructor(id, invoke, incoming) {
    this.id = id;
    this.invoke = invoke;
    this.incoming = incoming;
    /** Of a body that is gathered first. */
    this.missing = invoke.bodyLength ?? 0;
    this.pieces = [];
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

  /** For the function: how it accepts a WebSocket; null: this is no handshake. */
  get offer() {
    return this.incoming?.offer ?? null;
  }

  get hasSocket() {
    return this.incoming?.isAccepted === true;
  }
}

/** @throws FunctionError when it is too long for a frame */
export function headFrame(id, status, headers, streaming) {
  const frame = encodeJson(FRAME.replyHead, id, { status, headers, streaming });
  if (frame.length > MAX_PAYLOAD) throw new FunctionError('RangeError', 'the headers of the response are too large');
  return frame;
}
