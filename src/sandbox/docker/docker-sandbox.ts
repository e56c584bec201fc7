import type { Duplex } from 'node:stream';
import { HearthError } from '../../errors.ts';
import { layerPath } from '../bubblewrap/bubblewrap-sandbox.ts';
import type { Sandbox, SandboxExit, SandboxLimits, SandboxSpec, SandboxStats, StreamListen } from '../driver.ts';
import { FUNCTION_FOLDER } from '../options.ts';
import type { OutputListener } from '../output-relay.ts';
import { treeStats } from '../process-tree.ts';
import type { Container } from './container.ts';
import { limitUpdate } from './container-settings.ts';
import type { Engine } from './engine.ts';

export interface DockerSandboxParts {
  spec: SandboxSpec;
  driver: string;
  engine: Engine;
  container: Container;
  channel: Duplex;
  streamListen: StreamListen;
  services: readonly StreamListen[];
}

export class DockerSandbox implements Sandbox {
  readonly id: string;
  readonly driver: string;
  readonly channel: Duplex;
  readonly layerPaths: readonly string[];
  readonly functionFolder = FUNCTION_FOLDER;
  readonly streamListen: StreamListen;
  readonly services: readonly StreamListen[];
  readonly preloaded: boolean;
  readonly exited: Promise<SandboxExit>;
  readonly #engine: Engine;
  readonly #container: Container;

  constructor({ spec, driver, engine, container, channel, streamListen, services }: DockerSandboxParts) {
    this.id = spec.id;
    this.driver = driver;
    this.channel = channel;
    this.layerPaths = spec.layers.map((_, index) => layerPath(index));
    this.streamListen = streamListen;
    this.services = services;
    this.preloaded = spec.preload === true || spec.layers.length === 0 || spec.runtime !== 'python';
    this.exited = container.exited;
    this.#engine = engine;
    this.#container = container;
  }

  onOutput(listener: OutputListener): void {
    this.#container.output.listen(listener);
  }

  /** Without the first process, which is none of the function's. What the engine counts instead where we can't see them is their cgroup's memory. */
  async stats(): Promise<SandboxStats> {
    if (this.#container.ended) throw this.#over();
    const view = this.#container.view;
    if (view !== undefined) {
      const { pssBytes, processes } = await treeStats(view.pid);
      if (pssBytes > 0) return { pssBytes, processes: processes - 1 };
    }
    const { memory_stats: memory, pids_stats: pids } = await this.#engine.stats(this.#container.id).catch(() => Promise.reject(this.#over()));
    if (!pids?.current) throw this.#over();
    const cache = memory?.stats?.inactive_file ?? memory?.stats?.total_inactive_file ?? 0;
    return { pssBytes: Math.max(0, (memory?.usage ?? 0) - cache), processes: Math.max(0, pids.current - 1) };
  }

  async limit(limits: Partial<SandboxLimits>): Promise<void> {
    const update = limitUpdate(limits);
    if (Object.keys(update).length === 0) return;
    await this.#engine.update(this.#container.id, update).catch((cause: Error) => {
      if (cause instanceof HearthError) throw cause;
      throw new HearthError('sandbox_unavailable', `The limits of container ${this.#container.id} could not be set: ${cause.message}`, { cause });
    });
  }

  oomKills(): Promise<number> {
    return this.#container.oomKills();
  }

  kill(): void {
    this.#container.kill();
  }

  #over(): HearthError {
    return new HearthError('not_found', `Sandbox ${this.id} has ended.`);
  }
}
