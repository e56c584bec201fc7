import type { SandboxStats } from '../sandbox/driver.ts';
import type { HostMemory, HostReader } from './host-memory.ts';
import { MemoryLedger } from './memory-ledger.ts';

export interface MemoryGaugeSettings {
  /** What all sandboxes together may hold. */
  budgetBytes: number;
  /** Share of the machine's memory, and of the control group's limit, that is to stay available; 0 to 1. */
  headroomShare: number;
  /** Stalls for memory (PSI, some, of the last 10 s, percent) above which instances go although memory seems to be left; Infinity for never. */
  maxStallPercent: number;
  /** Share of what all sandboxes hold that goes with each reading while it stalls; 0 to 1. */
  stallShare: number;
  /** Between two ticks, milliseconds. Every tick reads the host and measures `perTick` sandboxes. */
  intervalMs: number;
  perTick: number;
  /** What a sandbox holds before any has been measured. */
  guessBytes: number;
}

/** A sandbox as the gauge needs it. */
export interface GaugedSandbox {
  readonly id: string;
  stats(): Promise<SandboxStats>;
}

export interface MemoryGaugeParts {
  readHost: HostReader;
  settings: MemoryGaugeSettings;
  /** For KeepAlive.measured. */
  onMeasured?(id: string, bytes: number): void;
  log: { warn(fields: object, message: string): void };
}

interface Gauged {
  sandbox: GaugedSandbox;
  versionKey: string;
}

/**
 * Measures what sandboxes hold and what the machine has left, a little at a time, and says how much must go.
 *
 * A sandbox's memory is its proportional set size. To find it the kernel walks all page tables of every process of the tree: some 0.5 ms of CPU for a small
 * Python sandbox, a second for 2,000 of them. So each tick measures a few only, in turn, which at 8 a second costs 0.4 % of a core and comes round to each of
 * 2,000 in four minutes; those of a version of which none has been measured come first. Others are reckoned with their version's mean.
 *
 * What is shared counts in parts, so of forks of one process each holds less the more there are, and the sum is right. Ending one frees less than its part while
 * others share it; the next reading of the machine tells.
 *
 * How to wire it: `add` a sandbox once it has loaded its function, `remove` it when its processes are gone, `forget` versions that are gone; ask `pressure`
 * after starts and every so often, and hand it to KeepAlive.victims. Whoever makes it calls `start`, and `close` at the end.
 */
export class MemoryGauge {
  readonly #parts: MemoryGaugeParts;
  readonly #ledger: MemoryLedger;
  /** In the order in which they are measured. */
  readonly #turn = new Map<string, Gauged>();
  /** One each of versions that were never measured. */
  readonly #urgent = new Map<string, string>();
  #host: HostMemory | null = null;
  /** Added less removed since the host was read, which that reading does not know of yet. */
  #sinceReading = 0;
  #removedSinceReading = 0;
  #timer: NodeJS.Timeout | null = null;
  #reading: Promise<void> | null = null;
  #measuring: Promise<void> | null = null;
  #hostFailed = false;
  #closed = false;

  constructor(parts: MemoryGaugeParts) {
    this.#parts = parts;
    this.#ledger = new MemoryLedger(parts.settings.guessBytes);
  }

  /** What all sandboxes hold, measured or reckoned. */
  get totalBytes(): number {
    return this.#ledger.totalBytes;
  }

  /** What one more sandbox of that version would hold. */
  estimate(versionKey: string): number {
    return this.#ledger.estimate(versionKey);
  }

  /** What a sandbox holds, measured or reckoned; undefined when it is not there. */
  bytesOf(id: string): number | undefined {
    return this.#ledger.bytesOf(id);
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.tick(), this.#parts.settings.intervalMs);
    this.#timer.unref();
  }

  /** Measures no more. Resolves when what it was reading is read. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    await Promise.all([this.#reading, this.#measuring]);
  }

  add(sandbox: GaugedSandbox, versionKey: string): void {
    this.remove(sandbox.id);
    this.#turn.set(sandbox.id, { sandbox, versionKey });
    this.#ledger.add(sandbox.id, versionKey);
    if (this.#ledger.isUnknown(versionKey) && !this.#urgent.has(versionKey)) this.#urgent.set(versionKey, sandbox.id);
    this.#sinceReading += this.#ledger.bytesOf(sandbox.id) ?? 0;
  }

  remove(id: string): void {
    this.#turn.delete(id);
    const bytes = this.#ledger.remove(id);
    this.#sinceReading -= bytes;
    this.#removedSinceReading += bytes;
  }

  /** The version is gone. */
  forget(versionKey: string): void {
    this.#urgent.delete(versionKey);
    this.#ledger.forget(versionKey);
  }

  /**
   * Bytes that instances must give back now, 0 when all is well: what they hold beyond their budget, what the machine or our control group lacks of its
   * headroom, or a share of everything while tasks stall for memory; the largest of these. What was removed since the host was last read is taken off, what is
   * on its way out but not removed yet is not.
   */
  pressure(): number {
    const { budgetBytes, headroomShare, maxStallPercent, stallShare } = this.#parts.settings;
    let bytes = this.totalBytes - budgetBytes;
    if (this.#host) {
      const { totalBytes, availableBytes, group, stallPercent } = this.#host;
      bytes = Math.max(bytes, headroomShare * totalBytes - availableBytes + this.#sinceReading);
      if (group) bytes = Math.max(bytes, group.usedBytes + this.#sinceReading - (1 - headroomShare) * group.limitBytes);
      if (stallPercent !== null && stallPercent > maxStallPercent) bytes = Math.max(bytes, stallShare * this.totalBytes - this.#removedSinceReading);
    }
    return Math.max(0, Math.ceil(bytes));
  }

  /** One round; the timer's, and a test's. What the last one left unfinished is not begun anew. Never rejects. */
  async tick(): Promise<void> {
    if (this.#closed) return;
    this.#reading ??= this.#readHost().finally(() => {
      this.#reading = null;
    });
    this.#measuring ??= this.#measureSome().finally(() => {
      this.#measuring = null;
    });
    await Promise.all([this.#reading, this.#measuring]);
  }

  async #readHost(): Promise<void> {
    // What happens while it is read may or may not be in it; counted twice it errs on the side of evicting less or more by little, for one tick.
    try {
      this.#host = await this.#parts.readHost();
      this.#sinceReading = 0;
      this.#removedSinceReading = 0;
      this.#hostFailed = false;
    } catch (error) {
      this.#host = null;
      if (!this.#hostFailed) this.#parts.log.warn({ err: error }, "the machine's memory can't be read; only the budget bounds what instances hold");
      this.#hostFailed = true;
    }
  }

  async #measureSome(): Promise<void> {
    await Promise.all(this.#next().map((gauged) => this.#measure(gauged)));
  }

  #next(): Gauged[] {
    const chosen: Gauged[] = [];
    const { perTick } = this.#parts.settings;
    for (const [versionKey, id] of this.#urgent) {
      if (chosen.length >= perTick) break;
      this.#urgent.delete(versionKey);
      this.#take(id, chosen);
    }
    const first: string[] = [];
    for (const id of this.#turn.keys()) if (first.push(id) >= perTick) break;
    for (const id of first) {
      if (chosen.length >= perTick) break;
      this.#take(id, chosen);
    }
    return chosen;
  }

  /** Behind all others, whether it can be measured or not. */
  #take(id: string, chosen: Gauged[]): void {
    const gauged = this.#turn.get(id);
    if (!gauged || chosen.includes(gauged)) return;
    this.#turn.delete(id);
    this.#turn.set(id, gauged);
    chosen.push(gauged);
  }

  async #measure({ sandbox, versionKey }: Gauged): Promise<void> {
    let bytes: number;
    try {
      bytes = (await sandbox.stats()).pssBytes;
    } catch {
      // It died; its owner learns so by other ways and removes it.
      return;
    }
    // A tree that could not be looked into sums to nothing, which says nothing.
    if (bytes <= 0 || this.#turn.get(sandbox.id)?.versionKey !== versionKey) return;
    this.#ledger.record(sandbox.id, bytes);
    this.#parts.onMeasured?.(sandbox.id, bytes);
  }
}
