import type { FunctionVersion } from '../schemas/function.ts';

/** Starts instances ahead of their calls. */
export interface Warmer {
  /** Whether the function has instances now. */
  isLive(functionName: string): boolean;
  /** Resolves once the version has a ready instance. @throws HearthError why it could not be started */
  warm(version: FunctionVersion): Promise<void>;
}

/**
 * Sees to it that each version has a ready instance, when the function is one that is being called; waits at most so many milliseconds.
 * @returns what did not work, in words
 */
export async function warmUp(warmer: Warmer, versions: readonly FunctionVersion[], timeoutMs: number): Promise<string[]> {
  const warnings = await Promise.all(
    versions.map(async (version) => {
      if (!warmer.isLive(version.functionName)) return null;
      const why = await failureOf(warmer.warm(version), timeoutMs);
      return why && `Version ${version.number} got its calls without being warm: ${why}`;
    }),
  );
  return warnings.filter((warning) => warning !== null);
}

async function failureOf(start: Promise<void>, timeoutMs: number): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`it was not ready within ${timeoutMs} ms.`), timeoutMs);
  });
  const ended = start.then(
    () => null,
    (error: Error) => error.message,
  );
  return Promise.race([ended, late]).finally(() => clearTimeout(timer));
}
