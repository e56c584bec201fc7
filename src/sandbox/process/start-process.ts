import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Duplex, Readable } from 'node:stream';
import { HearthError } from '../../errors.ts';
import type { SandboxExit } from '../driver.ts';
import { coverInherited, type Stdio } from '../inherited-descriptors.ts';
import { OutputRelay } from '../output-relay.ts';
import { describeSpawnError } from '../start-failure.ts';
import { killTree } from './kill-tree.ts';

export interface ProcessStart {
  command: readonly string[];
  environment: Record<string, string>;
  workingFolder: string;
  /** Its TMPDIR, by which its processes are known; removed at the end. */
  privateFolder: string;
  /** See inheritedDescriptors. */
  inherited: readonly number[];
}

export interface RunningProcess {
  pid: number;
  channel: Duplex;
  output: OutputRelay;
  /** Resolves when the tree is gone and the private folder removed. Never rejects. */
  exited: Promise<SandboxExit>;
  kill(): void;
}

/** @throws HearthError sandbox_unavailable; the private folder is removed then too */
export async function startProcess({ command, environment, workingFolder, privateFolder, inherited }: ProcessStart): Promise<RunningProcess> {
  const [file = '', ...argv] = command;
  const stdio: Stdio = ['ignore', 'pipe', 'pipe', 'pipe'];
  let cover: number | undefined;
  try {
    cover = coverInherited(stdio, inherited);
    const env = { ...environment, TMPDIR: privateFolder };
    const child = spawn(file, argv, { cwd: workingFolder, env, stdio, detached: true });
    await spawned(child);
    return running(child, privateFolder);
  } catch (error) {
    await rm(privateFolder, { recursive: true, force: true });
    throw new HearthError('sandbox_unavailable', `${file} could not be started: ${describeSpawnError(error)}`, { cause: error });
  } finally {
    if (cover !== undefined) closeSync(cover);
  }
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

function running(child: ChildProcess, privateFolder: string): RunningProcess {
  const [, stdout, stderr, channel] = child.stdio as unknown as [null, Readable, Readable, Duplex];
  const pid = child.pid as number;
  const marks = { leader: pid, environmentEntry: `TMPDIR=${privateFolder}` };
  child.on('error', () => undefined);
  channel.on('error', () => undefined);
  const ended = new Promise<SandboxExit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  const exited = ended.then(async (exit) => {
    await killTree(marks).catch(() => undefined);
    await rm(privateFolder, { recursive: true, force: true }).catch(() => undefined);
    return exit;
  });
  return {
    pid,
    channel,
    output: new OutputRelay(stdout, stderr),
    exited,
    // While the leader lives its descendants are found through it; after its end `exited` hunts for what was missed.
    kill: () => void killTree(marks).catch(() => child.kill('SIGKILL')),
  };
}
