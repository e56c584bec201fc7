import type { SandboxDriver } from '../sandbox/driver.ts';
import type { RuntimeName } from '../schemas/runtime-name.ts';
import type { LayerTarget } from './layer-id.ts';
import type { OutputTail } from './output-tail.ts';

/** The folder, inside the build's output folder, that becomes the layer; what lies beside it is temporary. */
export const SITE = 'site';

export interface Install {
  /** Names the build's sandbox. */
  id: string;
  /** Normalised. */
  requirements: string;
  outputFolder: string;
  timeoutMs: number;
  signal: AbortSignal;
  /** Is told what the installer says, as it comes. */
  tail: OutputTail;
  /** Bytes that the layer may have. While it is built it may have three times that: an archive, its content, and what is compiled of it. */
  maxBytes: number;
}

export interface InstallResult {
  ok: boolean;
  /** The end of what the installer said. */
  output: string;
  /** In one line, what went wrong. */
  problem: string;
}

/** Makes the layers of one runtime. */
export interface LayerMaker {
  /** The first stands in the records. */
  names: readonly RuntimeName[];
  /** Such as `pip`. */
  installer: string;
  target: LayerTarget;
  /** One text for all that ask for the same; empty when they ask for nothing. @throws HearthError invalid_request */
  normalise(requirements: string): string;
  /** @throws what the builder throws */
  install(builder: Pick<SandboxDriver, 'build'>, install: Install): Promise<InstallResult>;
}
