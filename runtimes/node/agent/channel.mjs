import { Socket } from 'node:net';
import { fatal, leave } from './end.mjs';
import { FrameReader } from './frames.mjs';

/** Descriptor 3. The process ends with it. */
export class Channel {
  #socket;
  /** Takes `(type, id, payload)`; set before the first turn of the event loop. */
  onFrame = () => {};

  constructor(descriptor = 3) {
    const socket = new Socket({ fd: descriptor, readable: true, writable: true });
    this.#socket = socket;
    const reader = new FrameReader((type, id, payload) => this.onFrame(type, id, payload));
    socket.on('data', (chunk) => {
      try {
        reader.push(chunk);
      } catch (error) {
        fatal(`protocol error: ${error.message}`);
      }
    });
    socket.on('error', () => leave(0));
    socket.on('end', () => leave(0));
  }

  /** What is written leaves at once when there is room. False: it is better to wait for `drained`. */
  send(data) {
    return this.#socket.write(data);
  }

  /** Bytes that were sent and haven't left. */
  get waitingBytes() {
    return this.#socket.writableLength;
  }

  /** Resolves once what was sent has left. */
  drained() {
    return this.#socket.writableNeedDrain ? new Promise((resolve) => this.#socket.once('drain', resolve)) : Promise.resolve();
  }

  /** Resolves once everything that was sent so far is out of our hands. */
  flushed() {
    return new Promise((resolve) => this.#socket.write('', () => resolve()));
  }

  /** Reads no more, while the function opens streams faster than they are served. */
  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }
}
