import { randomInt } from 'node:crypto';
import type { StreamListen } from './driver.ts';
import { type NamedPort, PRIVATE_STREAM_LISTEN } from './options.ts';

/** Where one sandbox's runtime listens. */
export interface Listens {
  streamListen: StreamListen;
  services: readonly StreamListen[];
  /** To be given back when it is gone. */
  addresses: readonly string[];
}

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

  /** For a sandbox: an address for `message_queue`, and one for each other service. */
  listens(services: readonly NamedPort[] = []): Listens {
    const streamListen = { ...PRIVATE_STREAM_LISTEN, host: this.take() };
    const found = services.map(({ name, port }) => ({ name, port, host: name === streamListen.name ? streamListen.host : this.take() }));
    return { streamListen, services: found, addresses: [...new Set([streamListen, ...found].map(({ host }) => host))] };
  }

  giveBack(address: string): void {
    this.#taken.delete(address);
  }
}
