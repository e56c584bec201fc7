/** A peer that sent nothing in this many half intervals is gone: two intervals, section 4.2.7. */
const SILENT_HALVES = 4;

/** Keeps one connection's heartbeat: says when to send one, and when the peer has been silent for two intervals. Ends by `stop`. */
export class Heartbeat {
  readonly #timer: NodeJS.Timeout;
  #silentHalves = 0;
  #sent = false;

  /** @param seconds the negotiated interval, above 0 */
  constructor(seconds: number, onBeat: () => void, onSilence: () => void) {
    this.#timer = setInterval(() => {
      this.#silentHalves += 1;
      if (this.#silentHalves >= SILENT_HALVES) return onSilence();
      if (!this.#sent) onBeat();
      this.#sent = false;
    }, seconds * 500);
    this.#timer.unref();
  }

  received(): void {
    this.#silentHalves = 0;
  }

  sent(): void {
    this.#sent = true;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
