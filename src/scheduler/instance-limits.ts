import type { HearthError } from '../errors.ts';
import type { LoadMessage } from '../protocol/messages.ts';
import type { Sandbox, SandboxExit, SandboxLimits } from '../sandbox/driver.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import * as errors from './instance-errors.ts';

export interface LimitSettings {
  /** Of an instance whose function doesn't say. Sandboxes are born with it. Bytes. */
  memoryBytes: number;
  /** Whether the kernel bounds a sandbox's memory as a whole; if not, the runtime is told to bound each of its processes. */
  boundsMemory: boolean;
  /** What the runtime sets for itself in any case. */
  rlimits: LoadMessage['limits'];
}

/** What bounds one instance, and whether the kernel has killed a process of it for that. */
export class InstanceLimits {
  readonly #version: Pick<FunctionVersion, 'functionName' | 'memoryBytes' | 'cpu'>;
  readonly #settings: LimitSettings;
  /** Kills that were told to a caller. */
  #told = 0;

  constructor(version: Pick<FunctionVersion, 'functionName' | 'memoryBytes' | 'cpu'>, settings: LimitSettings) {
    this.#version = version;
    this.#settings = settings;
  }

  /** What its sandbox wasn't born with; undefined when there is nothing. */
  get own(): Partial<SandboxLimits> | undefined {
    const { memoryBytes, cpu } = this.#version;
    if (memoryBytes === null && cpu === null) return undefined;
    return { ...(memoryBytes === null ? {} : { memoryBytes }), ...(cpu === null ? {} : { cpu }) };
  }

  /** For the Load message. */
  get rlimits(): LoadMessage['limits'] {
    const { rlimits, boundsMemory } = this.#settings;
    return boundsMemory ? rlimits : { ...rlimits, memoryBytes: this.memoryBytes };
  }

  /** Why its sandbox ended, if that was for want of memory. */
  ofExit({ oomKills = 0, signal }: SandboxExit, logs: string | null): HearthError | undefined {
    return oomKills > this.#told || gaveUp(signal, logs) ? this.#error() : undefined;
  }

  /** Why a process of a script was killed by the kernel, or has given up, if that was for want of memory. Each kill is told once. */
  async ofKilledScript(sandbox: Pick<Sandbox, 'oomKills'>, signal: string | undefined, logs: string | null): Promise<HearthError | undefined> {
    if (gaveUp(signal, logs)) return this.#error();
    if ((await sandbox.oomKills()) <= this.#told) return undefined;
    this.#told++;
    return this.#error();
  }

  /** That it may use. */
  get memoryBytes(): number {
    return this.#version.memoryBytes ?? this.#settings.memoryBytes;
  }

  #error(): HearthError {
    return errors.outOfMemory(this.#version.functionName, this.memoryBytes);
  }
}

/** V8 ends its process when its own bound is reached, before the kernel's is. */
function gaveUp(signal: string | null | undefined, logs: string | null): boolean {
  return signal === 'SIGABRT' && logs !== null && logs.includes('JavaScript heap out of memory');
}
