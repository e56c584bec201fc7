import type { HearthError } from '../errors.ts';
import type { LayerRecord } from '../schemas/records.ts';
import type { RuntimeName } from '../schemas/runtime-name.ts';

/** A built layer, ready to be mounted. */
export interface BuiltLayer {
  id: string;
  /** Folder on the host that holds importable libraries. */
  path: string;
  name: string | null;
  /** Those that find its libraries, each by all of its names. */
  runtimes: readonly RuntimeName[];
}

/** Libraries for sandboxes: built once per content hash, never changed after, mounted read-only. */
export interface Layers {
  /** Reads the records, sweeps what a crash left half built, and starts building the default layer if it isn't there; doesn't wait for that. */
  start(): Promise<void>;
  /**
   * The id of the layer with exactly these requirements (of Python, unless a runtime is named), building it when it doesn't exist; two calls at once share one build.
   * @throws HearthError invalid_request for a runtime that isn't there or what its installer would not be given, conflict, layer_build_failed, its message ending with the last of the installer's output, `extra.output` with more of it
   */
  ensure(requirements: string, name: string | null, runtime?: RuntimeName): Promise<BuiltLayer>;
  /** The default layer (requirements.functions.txt); waits for its build. @throws HearthError layer_build_failed */
  default(): Promise<BuiltLayer>;
  /** A named layer. @throws HearthError unknown_layer, layer_build_failed */
  named(name: string): Promise<BuiltLayer>;
  /** A built layer by id; undefined when its folder is gone. */
  byId(id: string): BuiltLayer | undefined;
  /**
   * The layer of that id, which is built from what is written down of it when it isn't here: of several nodes, one may know it from another. Undefined when nobody does.
   * @throws HearthError layer_build_failed; layer_unavailable when nothing that is built on this machine has that id; draining, store_unavailable
   */
  restore(id: string): Promise<BuiltLayer | undefined>;
  /** Why `byId` has none: it is being built, or could not be. Undefined when it is not known here. */
  whyMissing(id: string): HearthError | undefined;
  /** Newest first; of one that is being built with what its installer has said so far. */
  list(): LayerRecord[];
  /** Forgets a layer and deletes its folder. The caller sees to it that no function uses it. */
  remove(id: string): Promise<boolean>;
  close(): Promise<void>;
}
