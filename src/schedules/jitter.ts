import { createHash } from 'node:crypto';

/**
 * How long a firing is put off: below `jitterMs`, and below the time to the next instant, so that firings keep their order. The same for the same instant, so
 * that nothing has to remember it; another for every function, so that those of one minute are spread over it.
 * @param gapMs to the next instant; null when there is none
 * @returns whole milliseconds
 */
export function jitterOf(functionName: string, scheduledAt: number, jitterMs: number, gapMs: number | null): number {
  const bound = Math.min(jitterMs, gapMs ?? jitterMs);
  if (bound <= 0) return 0;
  const part = createHash('sha256').update(`${functionName}\n${scheduledAt}`).digest().readUInt32BE(0) / 2 ** 32;
  return Math.floor(part * bound);
}
