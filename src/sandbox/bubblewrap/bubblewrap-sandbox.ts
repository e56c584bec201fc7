import type { Duplex } from 'node:stream';
import { HearthError } from '../../errors.ts';
import type { CgroupHandle } from '../cgroup/cgroups.ts';
import type { Sandbox, SandboxExit, SandboxLimits, SandboxSpec, SandboxStats, StreamListen } from '../driver.ts';
import { FUNCTION_FOLDER } from '../options.ts';
import type { OutputListener } from '../output-relay.ts';
import { treeStats } from '../process-tree.ts';
import type { Launch, NamespaceInit } from './launch.ts';

export interface SandboxParts {
  spec: SandboxSpec;
  driver: string;
  launch: Launch;
  init: NamespaceInit;
  streamListen: StreamListen;
  services: readonly StreamListen[];
  exited: Promise<SandboxExit>;
  group: CgroupHandle | undefined;
}

export class BubblewrapSandbox implements Sandbox {
  readonly id: string;
  readonly driver: string;
  readonly channel: Duplex;
  readonly layerPaths: readonly string[];
  readonly functionFolder = FUNCTION_FOLDER;
  readonly streamListen: StreamListen;
  readonly services: readonly StreamListen[];
  readonly preloaded: boolean;
  readonly exited: Promise<SandboxExit>;
  readonly #launch: Launch;
  readonly #init: NamespaceInit;
  readonly #group: CgroupHandle | undefined;

  constructor({ spec, driver, launch, init, streamListen, services, exited, group }: SandboxParts) {
    this.id = spec.id;
    this.driver = driver;
    this.channel = launch.channel;
    this.layerPaths = spec.layers.map((_, index) => layerPath(index));
    this.streamListen = streamListen;
    this.services = services;
    this.preloaded = spec.preload === true || spec.layers.length === 0 || spec.runtime !== 'python';
    this.exited = exited;
    this.#launch = launch;
    this.#init = init;
    this.#group = group;
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

  async limit(limits: Partial<SandboxLimits>): Promise<void> {
    await this.#group?.limit(limits);
  }

  async oomKills(): Promise<number> {
    return (await this.#group?.oomKills()) ?? 0;
  }

  kill(): void {
    this.#launch.kill();
  }
}

/** Where the layer of that index appears inside. */
export function layerPath(index: number): string {
  return `/layers/${index}`;
}
