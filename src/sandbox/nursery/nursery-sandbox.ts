import type { Duplex } from 'node:stream';
import { HearthError } from '../../errors.ts';
import { layerPath } from '../bubblewrap/bubblewrap-sandbox.ts';
import type { CgroupHandle } from '../cgroup/cgroups.ts';
import type { Sandbox, SandboxExit, SandboxLimits, SandboxSpec, SandboxStats, StreamListen } from '../driver.ts';
import { FUNCTION_FOLDER, PRIVATE_STREAM_LISTEN } from '../options.ts';
import type { OutputListener, OutputRelay } from '../output-relay.ts';
import { treeStats } from '../process-tree.ts';
import { childrenOf } from './host-pids.ts';
import type { Newborn, Zygote } from './zygote.ts';

export interface NurserySandboxParts {
  spec: SandboxSpec;
  driver: string;
  zygote: Zygote;
  newborn: Newborn;
  output: OutputRelay;
  services: readonly StreamListen[];
  exited: Promise<SandboxExit>;
  group: CgroupHandle | undefined;
}

export class NurserySandbox implements Sandbox {
  readonly id: string;
  readonly driver: string;
  readonly channel: Duplex;
  readonly layerPaths: readonly string[];
  readonly functionFolder = FUNCTION_FOLDER;
  readonly streamListen = PRIVATE_STREAM_LISTEN;
  readonly services: readonly StreamListen[];
  readonly preloaded = true;
  readonly exited: Promise<SandboxExit>;
  readonly #zygote: Zygote;
  readonly #newborn: Newborn;
  readonly #output: OutputRelay;
  readonly #group: CgroupHandle | undefined;
  #ended = false;

  constructor({ spec, driver, zygote, newborn, output, services, exited, group }: NurserySandboxParts) {
    this.id = spec.id;
    this.driver = driver;
    this.channel = newborn.connections.channel;
    this.layerPaths = spec.layers.map((_, index) => layerPath(index));
    this.services = services;
    this.exited = exited;
    this.#zygote = zygote;
    this.#newborn = newborn;
    this.#output = output;
    this.#group = group;
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
    const stats = pid === undefined ? undefined : await this.#statsBelow(pid);
    if (stats === undefined || stats.processes === 0 || this.#ended) throw new HearthError('not_found', `Sandbox ${this.id} has ended.`);
    return stats;
  }

  async #statsBelow(init: number): Promise<SandboxStats> {
    if (!this.#zygote.sharesMemory) {
      const { pssBytes, processes } = await treeStats(init);
      return { pssBytes, processes: Math.max(0, processes - 1) };
    }
    // The memory of init is the agent's, and must not be counted twice.
    const trees = await Promise.all((await childrenOf(init)).map(treeStats));
    return { pssBytes: sum(trees.map((tree) => tree.pssBytes)), processes: sum(trees.map((tree) => tree.processes)) };
  }

  async limit(limits: Partial<SandboxLimits>): Promise<void> {
    await this.#group?.limit(limits);
  }

  async oomKills(): Promise<number> {
    return (await this.#group?.oomKills()) ?? 0;
  }

  kill(): void {
    this.#newborn.kill();
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
