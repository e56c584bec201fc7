import type { FunctionVersion } from '../schemas/function.ts';
import type { VersionChooser } from './version-chooser.ts';

/** From a function's name to the version that a call by name gets: the current one, or, of a traffic split, one by its weights. */
export class FunctionDirectory {
  readonly #entries = new Map<string, { current: FunctionVersion; chooser: VersionChooser | null }>();

  put(current: FunctionVersion, chooser: VersionChooser | null): void {
    this.#entries.set(current.functionName, { current, chooser });
  }

  remove(functionName: string): void {
    this.#entries.delete(functionName);
  }

  /** Undefined when there is no such function. */
  choose(functionName: string): FunctionVersion | undefined {
    const entry = this.#entries.get(functionName);
    return entry?.chooser ? entry.chooser.choose(undefined) : entry?.current;
  }
}
