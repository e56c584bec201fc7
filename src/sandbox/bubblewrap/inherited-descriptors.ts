import { readdirSync, readFileSync } from 'node:fs';

const O_CLOEXEC = 0o2000000;
/** More than any sane launcher leaves open. */
const HIGHEST = 4096;

/**
 * Descriptors above 2 that this process was given at its start and that its children would inherit. Node.js opens its own close-on-exec;
 * what its launcher left open is not, and must not reach a sandbox.
 */
export function inheritedDescriptors(): number[] {
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
