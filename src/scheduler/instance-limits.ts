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
  ofExit({ oomKills = 0 }: SandboxExit): HearthError | undefined {
    return oomKills > this.#told ? this.#error() : undefined;
  }

  /** Why the kernel may have killed a process of a script, if that was for want of memory. Each kill is told once. */
  async ofKilledScript(sandbox: Pick<Sandbox, 'oomKills'>): Promise<HearthError | undefined> {
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
