import type { NetworkMode } from '../driver.ts';

/** One step of building a sandbox's root, in order. Targets are absolute paths inside; sources are real paths on the host. */
export type Step =
  | { kind: 'bind'; source: string; target: string; access: 'ro' | 'rw' | 'dev' }
  | { kind: 'symlink'; to: string; target: string }
  | { kind: 'tmpfs'; target: string; bytes: number; mode: string }
  | { kind: 'folder'; target: string }
  | { kind: 'file'; content: string; target: string }
  | { kind: 'proc'; target: string }
  | { kind: 'remount-read-only'; target: string };

/** Everything about a sandbox that bwrap must know. */
export interface Plan {
  steps: readonly Step[];
  network: NetworkMode;
  environment: Readonly<Record<string, string>>;
  /** Folder inside, in which the command starts. */
  workingFolder: string;
  command: readonly string[];
}
