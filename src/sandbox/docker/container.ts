import type { Duplex } from 'node:stream';
import { exitOf } from '../bubblewrap/launch.ts';
import type { SandboxExit } from '../driver.ts';
import { OutputRelay } from '../output-relay.ts';
import { demultiplex } from './attached-output.ts';
import type { ContainerSettings, Engine } from './engine.ts';
import { EngineRefusal } from './engine-client.ts';
import { type HostView, hostView, readOomKills } from './host-view.ts';
import type { Leftovers } from './leftovers.ts';

/** While the engine is gone. */
const ASK_AGAIN_MS = 500;

/**
 * A container's life: created → attached → started → (killed) → not running → removed. `exited` follows the last step; or, when the engine is gone, the end of the
 * connection to its output, upon which the container is left to Leftovers.
 */
export class Container {
  readonly id: string;
  readonly output: OutputRelay;
  /** Resolves once it is removed, or is dead and its removal noted for when the engine is back. Never rejects. */
  readonly exited: Promise<SandboxExit>;
  readonly #engine: Engine;
  readonly #leftovers: Leftovers;
  readonly #connection: Duplex;
  #view: HostView | undefined;
  #oomKills = 0;
  #ended = false;
  #killing: Promise<void> | undefined;
  /** Resolved when its engine could not be had to kill it: nobody is waited for any more. */
  readonly #abandoned = Promise.withResolvers<undefined>();

  private constructor(engine: Engine, leftovers: Leftovers, id: string, connection: Duplex) {
    this.id = id;
    this.#engine = engine;
    this.#leftovers = leftovers;
    this.#connection = connection;
    const { stdout, stderr } = demultiplex(connection);
    this.output = new OutputRelay(stdout, stderr);
    this.exited = this.#untilGone();
  }

  /** @throws EngineRefusal, HearthError sandbox_unavailable; nothing is left of it then */
  static async start(engine: Engine, leftovers: Leftovers, name: string, settings: ContainerSettings): Promise<Container> {
    const id = await engine.create(name, settings).catch((error: unknown) => {
      // An engine that went away may have made it and not said so.
      if (!(error instanceof EngineRefusal)) leftovers.add(name);
      throw error;
    });
    try {
      const connection = await engine.attach(id);
      try {
        await engine.start(id);
      } catch (error) {
        connection.destroy();
        throw error;
      }
      const container = new Container(engine, leftovers, id, connection);
      await container.#look();
      return container;
    } catch (error) {
      await engine.remove(id).catch(() => leftovers.add(id));
      throw error;
    }
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Where we see its processes. */
  get view(): HostView | undefined {
    return this.#view;
  }

  /** Never rejects. */
  async oomKills(): Promise<number> {
    const file = this.#view?.oomFile;
    const counted = file === undefined ? undefined : await readOomKills(file);
    if (counted === undefined && !this.#ended) {
      const state = await this.#engine.state(this.id).catch(() => undefined);
      if (state?.OOMKilled) this.#oomKills = Math.max(1, this.#oomKills);
    } else this.#oomKills = Math.max(counted ?? 0, this.#oomKills);
    return this.#oomKills;
  }

  kill(): void {
    if (this.#ended) return;
    // Not removed at once: its state tells afterwards whether it had too little memory.
    this.#killing ??= this.#engine.kill(this.id).catch(() => {
      // The engine is gone. Its containers may outlive it; where we see this one's first process, we end it ourselves.
      this.#leftovers.add(this.id);
      return this.#killBySignal().finally(() => this.#abandoned.resolve(undefined));
    });
  }

  async #killBySignal(): Promise<void> {
    const still = this.#view && (await hostView(this.#view.pid, this.id));
    if (still === undefined) return;
    try {
      process.kill(still.pid, 'SIGKILL');
    } catch {
      // Gone, or not ours to kill.
    }
  }

  async #look(): Promise<void> {
    const { Pid } = await this.#engine.state(this.id);
    if (Pid > 0) this.#view = await hostView(Pid, this.id);
  }

  async #untilGone(): Promise<SandboxExit> {
    const told = this.#engine.wait(this.id).catch((error: unknown) => this.#outlive(error));
    const status = await Promise.race([told.then((code) => code ?? null), this.#abandoned.promise]);
    // Of an engine that has hung nothing is asked.
    this.#ended = status === undefined;
    await this.oomKills();
    if (!this.#ended) await this.#engine.remove(this.id).catch(() => this.#leftovers.add(this.id));
    this.#ended = true;
    // What it wrote last may still be on its way, unless the engine went before it could send it.
    if (typeof status !== 'number') this.#connection.destroy();
    const exit = typeof status !== 'number' ? { code: null, signal: 'SIGKILL' } : exitOf(status, null);
    return this.#oomKills > 0 ? { ...exit, oomKills: this.#oomKills } : exit;
  }

  /** Nobody tells any more when it ends. @returns its exit code, if somebody does in the end */
  async #outlive(error: unknown): Promise<number | undefined> {
    if (error instanceof EngineRefusal) return undefined;
    for (;;) {
      // Killed meanwhile: the kill itself sees to the removal.
      if (this.#killing !== undefined) {
        await this.#killing;
        return undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      try {
        return await this.#engine.wait(this.id);
      } catch (again) {
        if (again instanceof EngineRefusal) return undefined;
      }
      if (this.#view !== undefined && (await hostView(this.#view.pid, this.id)) === undefined) return undefined;
    }
  }
}
