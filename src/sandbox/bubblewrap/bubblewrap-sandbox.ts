import type { Duplex } from 'node:stream';
import { HearthError } from '../../errors.ts';
import type { Sandbox, SandboxExit, SandboxSpec, SandboxStats, StreamListen } from '../driver.ts';
import type { OutputListener } from '../output-relay.ts';
import { treeStats } from '../process-tree.ts';
import type { Launch, NamespaceInit } from './launch.ts';

export interface SandboxParts {
  spec: SandboxSpec;
  driver: string;
  launch: Launch;
  init: NamespaceInit;
  streamListen: StreamListen;
  exited: Promise<SandboxExit>;
}

export class BubblewrapSandbox implements Sandbox {
  readonly id: string;
  readonly driver: string;
  readonly channel: Duplex;
  readonly layerPaths: readonly string[];
  readonly streamListen: StreamListen;
  readonly exited: Promise<SandboxExit>;
  readonly #launch: Launch;
  readonly #init: NamespaceInit;

  constructor({ spec, driver, launch, init, streamListen, exited }: SandboxParts) {
    this.id = spec.id;
    this.driver = driver;
    this.channel = launch.channel;
    this.layerPaths = spec.layers.map((_, index) => layerPath(index));
    this.streamListen = streamListen;
    this.exited = exited;
    this.#launch = launch;
    this.#init = init;
  }

  onOutput(listener: OutputListener): void {
    this.#launch.output.listen(listener);
  }

  /** Without bwrap's init, which is none of the function's processes. */
  async stats(): Promise<SandboxStats> {
    const { pssBytes, processes } = await treeStats(this.#init.pid);
    if (processes === 0) throw new HearthError('not_found', `Sandbox ${this.id} has ended.`);
    return { pssBytes, processes: processes - 1 };
  }

  kill(): void {
    this.#launch.kill();
  }
}

/** Where the layer of that index appears inside. */
export function layerPath(index: number): string {
  return `/layers/${index}`;
}
