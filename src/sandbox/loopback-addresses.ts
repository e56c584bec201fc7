import { randomInt } from 'node:crypto';

/**
 * Hands out loopback addresses 127.a.b.c, a from 64 on, to sandboxes that share the host's network. They are drawn at random, so that
 * two platforms on one machine hardly ever meet, and none is handed out twice at the same time.
 */
export class LoopbackAddresses {
  readonly #taken = new Set<string>();

  take(): string {
    for (;;) {
      const address = `127.${randomInt(64, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
      if (this.#taken.has(address)) continue;
      this.#taken.add(address);
      return address;
    }
  }

  giveBack(address: string): void {
    this.#taken.delete(address);
  }
}
