import type { FunctionVersion } from '../schemas/function.ts';
import type { LaneKey } from './durable-queue.ts';

/** The version that an invocation was accepted for: one in service is the same object as everywhere else, an older one comes from the store. */
export class VersionBook {
  readonly #inService = new Map<string, readonly FunctionVersion[]>();
  readonly #load: (functionName: string, number: number) => Promise<FunctionVersion | undefined>;

  constructor(load: (functionName: string, number: number) => Promise<FunctionVersion | undefined>) {
    this.#load = load;
  }

  put(functionName: string, versions: readonly FunctionVersion[]): void {
    this.#inService.set(functionName, versions);
  }

  remove(functionName: string): void {
    this.#inService.delete(functionName);
  }

  /** Undefined when it isn't in service. */
  current({ functionName, versionNumber }: LaneKey): FunctionVersion | undefined {
    return this.#inService.get(functionName)?.find((version) => version.number === versionNumber);
  }

  /** Whether the store has it, in service here or not (yet). @throws HearthError store_unavailable */
  async isStored({ functionName, versionNumber }: LaneKey): Promise<boolean> {
    return (await this.#load(functionName, versionNumber)) !== undefined;
  }

  /** Undefined when the function was deleted, or never had such a version. @throws HearthError store_unavailable */
  async find(lane: LaneKey): Promise<FunctionVersion | undefined> {
    if (!this.#inService.has(lane.functionName)) return undefined;
    return this.current(lane) ?? (await this.#load(lane.functionName, lane.versionNumber));
  }
}
