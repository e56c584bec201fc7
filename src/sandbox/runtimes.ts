import { HearthError } from '../errors.ts';
import type { RuntimeName } from '../schemas/runtime-name.ts';
import type { Interpreter } from './interpreter.ts';
import type { ProcessLimits } from './process-limits.ts';

/** What must be seen of the host for a program to run. */
export type InterpreterFiles = Pick<
  Interpreter,
  'executable' | 'basePrefix' | 'standardLibraries' | 'sitePackages' | 'sharedObjects' | 'loader' | 'openssl'
> & {
  /** Where a sandbox with a root of its own sees the executable; left out: at its place on the host. */
  shownAt?: string;
};

/** The executable's path inside a sandbox with a root of its own. */
export function programPath({ shownAt, executable }: Pick<InterpreterFiles, 'shownAt' | 'executable'>): string {
  return shownAt ?? executable;
}

/** What boots a runtime other than Python. */
export interface RuntimeBoot {
  /** Folder on the host that holds its agent; appears as /runtime. */
  agentFolder: string;
  /** argv after the interpreter, of a sandbox that waits for Load. `{runtime}` stands for the agent's folder, `{heapMiB}` for what its own heap may have. */
  arguments: readonly string[];
  environment: Readonly<Record<string, string>>;
  /** What drivers set before a function is loaded. */
  limits: ProcessLimits;
}

/** A runtime other than Python: what drivers must know to boot its sandboxes. */
export interface RuntimeDescription extends RuntimeBoot {
  /** By which functions ask for it; the first that has a name has it. */
  names: readonly RuntimeName[];
  /** Such as `26.10.0`. */
  version: string;
  /** Folder with the installer of its libraries, which builds know as /installer; null: none was found, and no layers can be built. */
  installer: { folder: string; version: string } | null;
}

/** One that lies on the host, as does its installer. */
export interface HostRuntime extends RuntimeDescription {
  files: InterpreterFiles;
}

/** Of memory that isn't its heap's: the program itself, its buffers, threads and young objects. */
const BESIDE_HEAP_MIB = 48;
const LEAST_HEAP_MIB = 16;
const DEFAULT_MEMORY_BYTES = 256 * 1024 * 1024;

/** argv after the interpreter. @param agentFolder as the sandbox sees it @param memoryBytes that it will be bounded by */
export function bootArguments({ arguments: argv }: RuntimeBoot, agentFolder: string, memoryBytes: number = DEFAULT_MEMORY_BYTES): string[] {
  const memoryMiB = memoryBytes / (1024 * 1024);
  const heapMiB = Math.max(LEAST_HEAP_MIB, Math.floor(memoryMiB * 0.75 - BESIDE_HEAP_MIB));
  return argv.map((argument) => argument.replaceAll('{runtime}', agentFolder).replaceAll('{heapMiB}', String(heapMiB)));
}

/** By which functions ask for the versions of Node.js in this list, in its order. */
export function nodeNames(version: string, index: number): RuntimeName[] {
  const own = `nodejs${Number.parseInt(version, 10)}` as const;
  return index === 0 ? ['nodejs', own] : [own];
}

/** One that is not Python. @param setting that lists them @throws HearthError sandbox_unavailable when nobody has configured it */
export function requireRuntime<T extends RuntimeDescription>(runtimes: readonly T[] | undefined, name: RuntimeName, setting = 'sandbox.node'): T {
  const found = runtimes?.find(({ names }) => names.includes(name));
  if (found !== undefined) return found;
  throw new HearthError('sandbox_unavailable', `The runtime ${name} is not there: the platform's setting ${setting} names none of that version.`);
}
