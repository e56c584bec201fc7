import { HearthError } from '../errors.ts';
import type { RuntimeName } from '../schemas/runtime-name.ts';
import type { Interpreter } from './interpreter.ts';

/** What must be seen of the host for a program to run. */
export type InterpreterFiles = Pick<
  Interpreter,
  'executable' | 'basePrefix' | 'standardLibraries' | 'sitePackages' | 'sharedObjects' | 'loader' | 'openssl'
>;

/** A runtime other than Python: what drivers must know to boot its sandboxes. */
export interface RuntimeDescription {
  /** By which functions ask for it; the first that has a name has it. */
  names: readonly RuntimeName[];
  /** Such as `26.10.0`. */
  version: string;
  files: InterpreterFiles;
  /** Folder on the host that holds its agent; appears as /runtime. */
  agentFolder: string;
  /** argv after the interpreter, of a sandbox that waits for Load. `{runtime}` stands for the agent's folder. */
  arguments: readonly string[];
  environment: Readonly<Record<string, string>>;
  /** Folder on the host with the installer of its libraries, which builds see as /installer; null: none was found, and no layers can be built. */
  installer: { folder: string; version: string } | null;
}

/** One that is not Python. @throws HearthError sandbox_unavailable when nobody has configured it */
export function requireRuntime(runtimes: readonly RuntimeDescription[] | undefined, name: RuntimeName): RuntimeDescription {
  const found = runtimes?.find(({ names }) => names.includes(name));
  if (found !== undefined) return found;
  throw new HearthError('sandbox_unavailable', `The runtime ${name} is not there: the platform's setting sandbox.node names none of that version.`);
}
