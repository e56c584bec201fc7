import type { SandboxLimits } from '../driver.ts';
import type { DriverOptions } from '../options.ts';
import type { RuntimeBoot } from '../runtimes.ts';

export interface DockerOptions extends Omit<DriverOptions, 'runtimes'> {
  docker: DockerSettings;
  /** What functions for Node.js run in, and what boots a version of it; left out: there are none. */
  node?: { images: readonly NodeImage[]; boot(version: string): RuntimeBoot };
}

export interface NodeImage {
  name: string;
  /** The platform does without it where the engine has none of that name. */
  optional: boolean;
}

/** What the docker driver needs beyond what every driver does. */
export interface DockerSettings {
  /** Path of the engine's unix socket. */
  socket: string;
  /** Name of the image that holds the Python runtime. */
  image: string;
  /** Of the bridge network of mode egress. */
  network: string;
  /** OCI runtime, such as runsc; empty: the engine's default. */
  runtime: string;
  /** Tells our containers from those of other platforms: see groupPrefix. */
  platformId: string;
  /** The platform's data folder as an absolute path: every folder that containers see lies below it. */
  dataFolder: string;
  /** The same folder as the engine sees it. */
  engineDataFolder: string;
  /** Whether sandboxes of mode egress may be made where the host's own addresses can't be shut to them. */
  openEgress: boolean;
  /** Of each sandbox, unless `limit` says otherwise. */
  limits: SandboxLimits & { processes: number };
  /** Bytes of memory of a build. */
  buildMemoryBytes: number;
}
