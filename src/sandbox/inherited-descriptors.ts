import { openSync, readdirSync, readFileSync } from 'node:fs';

const O_CLOEXEC = 0o2000000;
/** More than any sane launcher leaves open. */
const HIGHEST = 4096;

export type Stdio = Array<'ignore' | 'pipe' | number>;

/** Puts /dev/null in the place of inherited descriptors. Returns a descriptor to close after the spawn, if one was needed. */
export function coverInherited(stdio: Stdio, inherited: readonly number[]): number | undefined {
  const leaking = inherited.filter((descriptor) => stdio[descriptor] === undefined || stdio[descriptor] === 'ignore');
  if (leaking.length === 0) return undefined;
  const empty = openSync('/dev/null', 'r');
  for (const descriptor of leaking) {
    while (stdio.length < descriptor) stdio.push('ignore');
    stdio[descriptor] = empty;
  }
  return empty;
}

/**
 * Descriptors above 2 that this process was given by its launcher and that would pass on to every child and into the sandbox; Node.js
 * opens its own close-on-exec. They don't change in the life of a process: look once, it costs a read for each open descriptor.
 */
export function inheritedDescriptors(): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc/self/fdinfo')
    .map(Number)
    .filter((descriptor) => descriptor > 2 && descriptor < HIGHEST && survivesExec(descriptor));
}

function survivesExec(descriptor: number): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
  } catch {
    return false;
  }
}
