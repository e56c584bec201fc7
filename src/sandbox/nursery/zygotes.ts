import { HearthError } from '../../errors.ts';
import { layerPath } from '../bubblewrap/bubblewrap-sandbox.ts';
import type { Launcher } from '../bubblewrap/launch.ts';
import { seccompProgram } from '../bubblewrap/seccomp.ts';
import { findTools, stageTools } from '../bubblewrap/tools.ts';
import { UidAllocator } from '../bubblewrap/uid-allocator.ts';
import { inheritedDescriptors } from '../inherited-descriptors.ts';
import { type Interpreter, inspectInterpreter } from '../interpreter.ts';
import { DEFAULT_UID_BASE } from '../options.ts';
import type { NurseryOptions } from './nursery-driver.ts';
import { type ReadyReport, Zygote } from './zygote.ts';
import { zygotePlan } from './zygote-plan.ts';

/** Between the first user id of sandboxes by bubblewrap and that of zygotes: more than there will ever be sandboxes. */
const UID_DISTANCE = 10_000_000;
const DEFAULT_MAX = 8;
const DEFAULT_IDLE_MS = 30 * 60_000;
/** Milliseconds from the end of a zygote to the start of its successor: doubled with each that ends soon after its start. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 60_000;
/** A zygote that has lived that long starts the pauses anew. */
const LONG_LIFE_MS = 60_000;

type Options = NurseryOptions & { temporaryFolder: string };

/** A layer set and its zygote: none → starting → ready → none, with a pause before the next. */
interface Entry {
  layers: readonly string[];
  zygote: Zygote | undefined;
  starting: Promise<ReadyReport> | undefined;
  isReady: boolean;
  failures: number;
  /** Of performance.now(). */
  notBefore: number;
  lastUse: number;
  /** Modules that spoilt a zygote, though not every time. */
  exclude: readonly string[];
}

/** The zygotes of a platform, by their layers. */
export class Zygotes {
  readonly #options: Options;
  readonly #uids: UidAllocator;
  readonly #entries = new Map<string, Entry>();
  readonly #ending = new Set<Promise<void>>();
  readonly #sweep: NodeJS.Timeout;
  readonly #inherited = inheritedDescriptors();
  #interpreter: Promise<Interpreter> | undefined;
  #closed = false;

  constructor(options: Options) {
    this.#options = options;
    this.#uids = new UidAllocator(options.zygoteUidBase ?? (options.uidBase ?? DEFAULT_UID_BASE) + UID_DISTANCE);
    const idleMs = options.zygoteIdleMs ?? DEFAULT_IDLE_MS;
    this.#sweep = setInterval(() => this.#endIdle(idleMs), Math.max(1000, idleMs / 4)).unref();
  }

  /** The zygote for these layers, if it is ready; otherwise one is on its way, unless it may not be tried yet. */
  take(layers: readonly string[]): Zygote | undefined {
    const entry = this.#entry(layers);
    if (entry === undefined) return undefined;
    entry.lastUse = performance.now();
    if (entry.isReady) return entry.zygote;
    void this.#start(entry)?.catch(() => undefined);
    return undefined;
  }

  /** Starts it if need be and waits for it. @throws HearthError sandbox_unavailable */
  async ready(layers: readonly string[]): Promise<ReadyReport> {
    const entry = this.#entry(layers);
    if (entry === undefined) throw new HearthError('sandbox_unavailable', 'There are too many zygotes already.');
    entry.lastUse = performance.now();
    const starting = this.#start(entry);
    if (starting === undefined) throw new HearthError('sandbox_unavailable', 'The last zygote has just ended; the next one is tried later.');
    return starting;
  }

  /** What sandboxes' interpreters are. @throws HearthError sandbox_unavailable */
  interpreter(): Promise<Interpreter> {
    const { interpreter, python, path } = this.#options;
    if (interpreter !== undefined) return Promise.resolve(interpreter);
    this.#interpreter ??= inspectInterpreter(python, path).catch((error: unknown) => {
      this.#interpreter = undefined;
      throw error;
    });
    return this.#interpreter;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweep);
    for (const { zygote } of this.#entries.values()) zygote?.kill();
    // One that is just being started sees that we are closed, and is killed then.
    await Promise.allSettled([...this.#entries.values()].map(({ starting }) => starting));
    await Promise.all(this.#ending);
  }

  /** Undefined when the bound is reached and every zygote has sandboxes, or the driver is closed. */
  #entry(layers: readonly string[]): Entry | undefined {
    if (this.#closed) return undefined;
    const key = layers.join('\0');
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    if (this.#entries.size >= (this.#options.maxZygotes ?? DEFAULT_MAX)) {
      const idle = [...this.#entries].filter(
        ([, { zygote, starting, isReady }]) => (isReady || starting === undefined) && (zygote?.living ?? 0) === 0,
      );
      const oldest = idle.sort(([, one], [, other]) => one.lastUse - other.lastUse)[0];
      if (oldest === undefined) return undefined;
      this.#forget(...oldest);
    }
    const entry: Entry = {
      layers,
      zygote: undefined,
      starting: undefined,
      isReady: false,
      failures: 0,
      notBefore: 0,
      lastUse: performance.now(),
      exclude: [],
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #endIdle(idleMs: number): void {
    const now = performance.now();
    for (const [key, entry] of this.#entries) {
      const busy = (entry.zygote?.living ?? 0) > 0 || (entry.starting !== undefined && !entry.isReady);
      if (!busy && now - entry.lastUse > idleMs) this.#forget(key, entry);
    }
  }

  #forget(key: string, entry: Entry): void {
    this.#entries.delete(key);
    entry.isReady = false;
    entry.zygote?.kill();
  }

  /** Undefined while it is too early after an end. */
  #start(entry: Entry): Promise<ReadyReport> | undefined {
    if (entry.starting !== undefined) return entry.starting;
    if (performance.now() < entry.notBefore) return undefined;
    const startedAt = performance.now();
    entry.starting = this.#launch(entry);
    const after = () => {
      entry.starting = undefined;
      entry.isReady = false;
      entry.zygote = undefined;
      entry.failures = performance.now() - startedAt > LONG_LIFE_MS ? 1 : entry.failures + 1;
      entry.notBefore = performance.now() + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (entry.failures - 1));
    };
    entry.starting.then(
      (report) => {
        entry.isReady = true;
        this.#options.log.debug({ layers: entry.layers, ...report }, 'A zygote is ready');
        void entry.zygote?.ended.then(after);
      },
      (error: unknown) => {
        if (!this.#closed)
          this.#options.log.warn({ layers: entry.layers, error: String(error) }, 'There is no nursery for now; bubblewrap starts the sandboxes');
        after();
      },
    );
    return entry.starting;
  }

  async #launch(entry: Entry): Promise<ReadyReport> {
    const { agentEntry, zygoteFolder } = this.#options;
    const interpreter = await this.interpreter();
    const seccomp = seccompProgram(process.arch, 'newborn');
    const launcher = this.#launcher();
    if (seccomp === undefined || this.#closed) throw new HearthError('sandbox_unavailable', 'The nursery is closed.');
    const uid = process.getuid?.() === 0 ? this.#uids.take() : undefined;
    const giveBack = () => {
      if (uid !== undefined) this.#uids.giveBack(uid);
    };
    let zygote: Zygote;
    try {
      zygote = await Zygote.start({
        launcher,
        plan: (door) => zygotePlan(this.#options, { interpreter, layers: entry.layers, zygoteFolder, door }),
        uid,
        entry: `/runtime/${agentEntry}`,
        layers: entry.layers.map((_, index) => layerPath(index)),
        exclude: entry.exclude,
        seccomp,
        group: this.#options.cgroups?.group('zygote'),
      });
    } catch (error) {
      giveBack();
      throw error;
    }
    entry.zygote = zygote;
    const ended = zygote.ended.then(() => {
      entry.exclude = zygote.exclude;
      giveBack();
    });
    this.#ending.add(ended);
    void ended.then(() => this.#ending.delete(ended));
    if (this.#closed) zygote.kill();
    return zygote.ready;
  }

  #launcher(): Launcher {
    const tools = findTools(this.#options.path);
    const seccomp = seccompProgram(process.arch, 'zygote');
    if (tools.bwrap === undefined) throw new HearthError('sandbox_unavailable', 'bwrap is not on PATH; install the package bubblewrap.');
    if (seccomp === undefined) throw new HearthError('sandbox_unavailable', `There is no system call filter for ${process.arch} yet.`);
    return { bwrap: tools.bwrap, seccomp, stageTools: stageTools(tools), temporaryFolder: this.#options.temporaryFolder, inherited: this.#inherited };
  }
}
