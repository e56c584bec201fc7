import type { Duplex } from 'node:stream';
import { HearthError } from '../../errors.ts';
import { layerPath } from '../bubblewrap/bubblewrap-sandbox.ts';
import type { Sandbox, SandboxExit, SandboxSpec, SandboxStats } from '../driver.ts';
import { PRIVATE_STREAM_LISTEN } from '../options.ts';
import type { OutputListener, OutputRelay } from '../output-relay.ts';
import { treeStats } from '../process-tree.ts';
import type { Newborn, Zygote } from './zygote.ts';

export interface NurserySandboxParts {
  spec: SandboxSpec;
  driver: string;
  zygote: Zygote;
  newborn: Newborn;
  output: OutputRelay;
  exited: Promise<SandboxExit>;
}

export class NurserySandbox implements Sandbox {
  readonly id: string;
  readonly driver: string;
  readonly channel: Duplex;
  readonly layerPaths: readonly string[];
  readonly streamListen = PRIVATE_STREAM_LISTEN;
  readonly exited: Promise<SandboxExit>;
  readonly #zygote: Zygote;
  readonly #newborn: Newborn;
  readonly #output: OutputRelay;
  #ended = false;

  constructor({ spec, driver, zygote, newborn, output, exited }: NurserySandboxParts) {
    this.id = spec.id;
    this.driver = driver;
    this.channel = newborn.connections.channel;
    this.layerPaths = spec.layers.map((_, index) => layerPath(index));
    this.exited = exited;
    this.#zygote = zygote;
    this.#newborn = newborn;
    this.#output = output;
    void newborn.exited.then(() => {
      this.#ended = true;
    });
  }

  onOutput(listener: OutputListener): void {
    this.#output.listen(listener);
  }

  /** Without the namespace's first process, which is none of the function's. */
  async stats(): Promise<SandboxStats> {
    const pid = this.#ended ? undefined : await this.#zygote.hostPid(this.#newborn.pid);
    const { pssBytes, processes } = pid === undefined ? { pssBytes: 0, processes: 0 } : await treeStats(pid);
    if (processes === 0 || this.#ended) throw new HearthError('not_found', `Sandbox ${this.id} has ended.`);
    return { pssBytes, processes: processes - 1 };
  }

  kill(): void {
    this.#newborn.kill();
  }
}
