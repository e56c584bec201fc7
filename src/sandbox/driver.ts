import type { Duplex } from 'node:stream';
import type { RuntimeName } from '../schemas/runtime-name.ts';

/**
 * Words: a **sandbox** is an isolated process tree with one channel to the platform; a **driver** makes sandboxes of one kind.
 * A sandbox is born generic (its runtime is up, no function loaded) and never serves a second function.
 */

export type NetworkMode = 'none' | 'egress' | 'host';

export interface SandboxSpec {
  /** Unique in the life of the platform; names the sandbox in logs, records and on the host. */
  id: string;
  runtime: RuntimeName;
  /** Folders on the host, mounted read-only at /layers/0, /layers/1, … */
  layers: readonly string[];
  network: NetworkMode;
  /** Size of the private /tmp. */
  tmpBytes: number;
  /** A program of that runtime will run in it, started by Python's agent. Left out for Python's own sandboxes, which can do that anyway. */
  supervised?: boolean;
  /** Memory that it will be bounded by, for runtimes that want to know when they start; left out for others. */
  memoryBytes?: number;
  /** Nobody waits for it: libraries of the layers may be imported before it says Hello. */
  preload?: boolean;
}

export interface SandboxExit {
  /** Exit code of the runtime, or null when a signal ended it. */
  code: number | null;
  signal: string | null;
  /** Processes of it that the kernel has killed because its memory was used up, in all its life; left out when there were none. */
  oomKills?: number;
}

/** What bounds a sandbox as a whole, all its processes together, where the machine lets the platform have cgroups. */
export interface SandboxLimits {
  /** Bytes of memory, files in /tmp and swap included. */
  memoryBytes: number;
  /** Cores' worth of CPU time per second, fractions allowed; null: no bound but a fair share. */
  cpu: number | null;
}

export interface SandboxStats {
  /** Proportional set size of the whole tree. */
  pssBytes: number;
  processes: number;
}

/** The runtime's address for connections to the reply endpoint, as the Load message carries it. */
export interface StreamListen {
  host: string;
  port: number;
  name: string;
}

/**
 * A running sandbox. Every method is safe to call after it has died: `kill` does nothing, `stats` rejects, the channel has ended.
 */
export interface Sandbox {
  readonly id: string;
  /** The driver's name. */
  readonly driver: string;
  /** Speaks docs/protocol.md; errors on it are reported here and nowhere else. */
  readonly channel: Duplex;
  /** Paths, inside the sandbox, of the spec's layers, in its order. */
  readonly layerPaths: readonly string[];
  /** Folder inside the sandbox, empty and of bounded size, in which the runtime makes the files of a function that is a bundle. */
  readonly functionFolder: string;
  readonly streamListen: StreamListen;
  /** The runtime's addresses for connections to services, in the order in which the driver was told of them; `message_queue` may be one. */
  readonly services: readonly StreamListen[];
  /** Whether it has the libraries of its layers in memory, where it could have. */
  readonly preloaded: boolean;
  /** What the sandbox itself writes to descriptors 1 and 2. Called from the next tick after creation on. */
  onOutput(listener: (stream: 'stdout' | 'stderr', chunk: Buffer) => void): void;
  /** Resolves once when every process of the tree is gone and what the driver set up for it on the host is cleared. Never rejects. */
  readonly exited: Promise<SandboxExit>;
  /** Reads the kernel's counters. */
  stats(): Promise<SandboxStats>;
  /**
   * Bounds it otherwise than its driver was told to bound sandboxes; a member that is left out stays. Does nothing where there are no cgroups. Before a
   * function is loaded: less memory than is in use already can't be had.
   * @throws HearthError sandbox_unavailable
   */
  limit(limits: Partial<SandboxLimits>): Promise<void>;
  /** Processes of it that the kernel has killed so far because its memory was used up; 0 where there are no cgroups. Never rejects. */
  oomKills(): Promise<number>;
  /** Ends the whole tree at once, without asking it. Returns before it is gone: see `exited`. */
  kill(): void;
}

export interface Probe {
  name: string;
  ok: boolean;
  /** What was found, or what to do about it. */
  detail: string;
}

/** A command that runs once, in isolation, with one writable folder: how layers are built. */
export interface BuildSpec {
  id: string;
  /** Whose interpreter and installer the build finds. Default: python. */
  runtime?: RuntimeName;
  /** argv inside the sandbox; `argv[0]` is absolute, or `python` with its standard library and pip, or `node` when `runtime` is one of Node.js. */
  argv: readonly string[];
  environment: Readonly<Record<string, string>>;
  /** Folder on the host that appears writable as /build; the driver prepares it (made, empty, owned as it needs). */
  outputFolder: string;
  /** Small files that appear read-only under /input/. */
  inputs: Readonly<Record<string, string>>;
  network: NetworkMode;
  /** Milliseconds until the build is killed. */
  timeoutMs: number;
  /** Once aborted, the build is killed at once; the result's code is null then. An already aborted one starts nothing. */
  signal?: AbortSignal;
  /** stdout and stderr together, as they come. */
  onOutput: (chunk: Buffer) => void;
}

export interface BuildResult {
  /** Exit code, or null when a signal, the timeout or the spec's AbortSignal ended it. */
  code: number | null;
  timedOut: boolean;
}

export interface SandboxDriver {
  readonly name: string;
  /** What this driver does not isolate, in words for a log line; empty when it promises everything. */
  readonly warnings: readonly string[];
  /** Checks of the machine, for `hearth doctor` and for a start that fails early. Never throws. */
  probe(): Promise<Probe[]>;
  /** Network modes that work on this machine; valid after `probe`. */
  networks(): readonly NetworkMode[];
  /**
   * Resolves when the process tree exists and its network is up; the runtime's Hello comes over the channel later.
   * @throws HearthError sandbox_unavailable or network_unavailable
   */
  create(spec: SandboxSpec): Promise<Sandbox>;
  /** @throws HearthError sandbox_unavailable or network_unavailable when it can't be started; a command that fails is a result. */
  build(spec: BuildSpec): Promise<BuildResult>;
  /** Kills what is left and resolves when it is gone. */
  close(): Promise<void>;
}
