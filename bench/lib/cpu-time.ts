import { readFile } from 'node:fs/promises';

/** Of the kernel's accounting; 100 on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;

export interface CpuTime {
  /** Seconds that the process itself has run, all threads, without its children. */
  process: number;
  /** Seconds that all cores together were busy since boot. */
  machine: number;
}

export async function cpuTime(pid: number): Promise<CpuTime> {
  const [own, all] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile('/proc/stat', 'utf8')]);
  // Fields are counted from behind the command's name, which may hold any character.
  const [user, system] = own
    .slice(own.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number) as [number, number];
  const [u, n, s, , , irq, softIrq] = (all.split('\n')[0] as string).split(/\s+/).slice(1).map(Number) as number[];
  const busy = [u, n, s, irq, softIrq].reduce<number>((sum, ticks) => sum + (ticks ?? 0), 0);
  return { process: (user + system) / TICKS_PER_SECOND, machine: busy / TICKS_PER_SECOND };
}
