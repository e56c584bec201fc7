import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';

/** Milliseconds between two readings. */
const INTERVAL_MS = 100;

/** Ticks of all cores together since boot. */
export interface CpuTimes {
  idle: number;
  total: number;
}

/**
 * How much of the machine's cores was idle of late. More instances of a function make sense while there is some; when all cores are busy they only
 * take them from each other.
 */
export class CpuGauge {
  readonly #read: () => Promise<CpuTimes>;
  readonly #timer: NodeJS.Timeout;
  #before: CpuTimes | null = null;
  #idleShare = 1;
  #reading = false;

  /** Starts measuring at once. Whoever makes it calls `close`. */
  constructor(read: () => Promise<CpuTimes> = readCpuTimes) {
    this.#read = read;
    this.#timer = setInterval(() => void this.tick(), INTERVAL_MS);
    this.#timer.unref();
  }

  /** 0 to 1, over the last interval; 1 before the first two readings. */
  get idleShare(): number {
    return this.#idleShare;
  }

  async tick(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      const now = await this.#read();
      const total = this.#before === null ? 0 : now.total - this.#before.total;
      if (this.#before !== null && total > 0) this.#idleShare = (now.idle - this.#before.idle) / total;
      this.#before = now;
    } catch {
      // Unreadable: then nothing is known, and nothing is held back.
      this.#idleShare = 1;
    } finally {
      this.#reading = false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

/** proc(5), /proc/stat: user nice system idle iowait irq softirq steal …; waiting for a disk leaves the core free. Elsewhere than on Linux, what Node knows. */
export async function readCpuTimes(): Promise<CpuTimes> {
  if (process.platform !== 'linux') {
    const all = cpus();
    const idle = all.reduce((sum, { times }) => sum + times.idle, 0);
    return { idle, total: idle + all.reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) };
  }
  return parseProcStat(await readFile('/proc/stat', 'utf8'));
}

export function parseProcStat(text: string): CpuTimes {
  const fields = text.slice(0, text.indexOf('\n')).trim().split(/\s+/).slice(1, 9).map(Number);
  return { idle: (fields[3] ?? 0) + (fields[4] ?? 0), total: fields.reduce((sum, field) => sum + field, 0) };
}
