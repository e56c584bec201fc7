import type { Cgroups } from './cgroup/cgroups.ts';
import type { NetworkMode, StreamListen } from './driver.ts';
import type { Interpreter } from './interpreter.ts';
import type { HostRuntime } from './runtimes.ts';

/** The part of a structured logger (pino's shape) that drivers use. */
export interface DriverLog {
  warn(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}

export interface NamedPort {
  name: string;
  port: number;
}

export interface DriverOptions {
  /** The Python interpreter: an absolute path, or a name that is looked up on `path`. */
  python: string;
  /** What it says of itself, where it was asked before; by default the driver asks. */
  interpreter?: Interpreter | undefined;
  /** Folder on the host that holds Python's agent; appears as /runtime. */
  agentFolder: string;
  /** The agent's entry, relative to `agentFolder`. */
  agentEntry: string;
  /** What runs functions besides Python. */
  runtimes?: readonly HostRuntime[];
  /** Value of PATH, on which bwrap, slirp4netns, ip, nsenter and the rest are found. */
  path: string;
  log: DriverLog;
  /** What bounds sandboxes as a whole; without it nothing does. It outlives the driver. */
  cgroups?: Pick<Cgroups, 'group'> | undefined;
  /** First of the user ids that sandboxes run under when the platform is root; `uidBase - 1` is for builds. Default 1 900 000 000. */
  uidBase?: number;
  /** Host paths that every sandbox sees read-only at the same place. */
  extraBinds?: readonly string[];
  /** Services that every sandbox knows by these names, at the ports that clients expect; each leads to an address of its own inside. */
  services?: readonly NamedPort[];
  /** Where short-lived files of the driver go. Default: the system's folder for temporary files. */
  temporaryFolder?: string;
  /** Milliseconds from the start of a sandbox to the first byte on its channel. Default 20 000. */
  bootTimeoutMs?: number;
}

export const DEFAULT_UID_BASE = 1_900_000_000;
export const DEFAULT_BOOT_TIMEOUT_MS = 20_000;

/** Where a function that is a bundle has its files, in a sandbox that has a root of its own: a small file system in memory, as large as /tmp. */
export const FUNCTION_FOLDER = '/function';

/** The address that functions know as `message_queue` where the sandbox has a network namespace of its own. */
export const PRIVATE_STREAM_LISTEN = { host: '127.0.0.1', port: 5672, name: 'message_queue' } as const;

/**
 * Where services are found in a sandbox that has a network namespace of its own: 127.1.0.1 and on, in their order; `message_queue`, when it is one of them, stays
 * where it always is. The same for all sandboxes, so that files which many share may name them.
 */
export function privateServices(services: readonly NamedPort[] = []): StreamListen[] {
  return services.map(({ name, port }, index) => ({ name, port, host: addressOf(name, `127.1.0.${index + 1}`) }));
}

function addressOf(name: string, own: string): string {
  return name === PRIVATE_STREAM_LISTEN.name ? PRIVATE_STREAM_LISTEN.host : own;
}

export const NETWORK_MODES: readonly NetworkMode[] = ['none', 'egress', 'host'];
