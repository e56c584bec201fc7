import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import type { Duplex, Readable, Writable } from 'node:stream';
import { HearthError } from '../../errors.ts';
import type { SandboxExit } from '../driver.ts';
import { coverInherited, type Stdio } from '../inherited-descriptors.ts';
import { OutputRelay } from '../output-relay.ts';
import { startTime } from '../process-tree.ts';
import { describeSpawnError } from '../start-failure.ts';
import { bwrapArguments, DESCRIPTORS } from './arguments.ts';
import { unnamedFile } from './data-files.ts';
import type { Plan } from './plan.ts';
import { type StageTools, stage } from './stage.ts';

export interface Launcher {
  bwrap: string;
  seccomp: Buffer;
  stageTools: StageTools | undefined;
  temporaryFolder: string;
  /** See inheritedDescriptors. */
  inherited: readonly number[];
}

/** The namespaces' first process, as the host numbers it, and the inode of its network namespace. */
export interface NamespaceInit {
  pid: number;
  startTime: string;
  networkNamespace: number | undefined;
}

/** Milliseconds until a bwrap that doesn't end with its sandbox is killed too. */
const BWRAP_PATIENCE_MS = 2000;

/** A started bwrap. */
export interface Launch {
  output: OutputRelay;
  /** Descriptor 3 of the sandbox. */
  channel: Duplex;
  /** Resolves as soon as the namespaces exist; rejects with sandbox_unavailable, naming what bwrap wrote, when it ends before. */
  init: Promise<NamespaceInit>;
  /** Resolves when bwrap and every process in the sandbox are gone. Never rejects. */
  ended: Promise<SandboxExit>;
  /** Lets a held sandbox run its command. */
  release(): void;
  kill(): void;
}

/** uid undefined: run as whoever we are. `held`: the command waits for `release`. @throws HearthError sandbox_unavailable */
export function launch(launcher: Launcher, plan: Plan, uid: number | undefined, held: boolean): Launch {
  const { stage: staged, child } = spawnBwrap(launcher, plan, uid, held);
  const spawned = Array.isArray(child.stdio) && child.stdio.at(DESCRIPTORS.channel) != null;
  if (!spawned) {
    // Out of descriptors or processes: the error event that follows has the cause, and there are no streams to speak of.
    throw spawnFailure(staged, child);
  }
  const [, stdout, stderr, channel, status] = child.stdio as unknown as [null, Readable, Readable, Duplex, Readable];
  const block = held ? (child.stdio.at(DESCRIPTORS.block) as Writable | undefined) : undefined;
  // Whoever uses the channel sees it end; without a listener its reset would take the platform down.
  channel.on('error', () => undefined);
  block?.on('error', () => undefined);
  const output = new OutputRelay(stdout, stderr);

  let known: NamespaceInit | undefined;
  let killed = false;
  let failure: Error | undefined;

  const finish = Promise.withResolvers<SandboxExit>();
  child.on('error', (error) => {
    failure = error;
    if (child.pid === undefined) finish.resolve({ code: null, signal: null });
  });
  child.on('exit', (code, signal) => finish.resolve(exitOf(code, signal)));

  const init = readInit(status).then((found) => {
    known = found;
    if (found === undefined) return finish.promise.then(() => Promise.reject(earlyEnd(failure, output)));
    if (killed) killNow();
    return found;
  });
  init.catch(() => undefined);

  const ended = finish.promise.then(async (exit) => {
    // bwrap outlives its sandbox unless it was killed itself; then the kernel kills the rest, a little later than we learn of bwrap's end.
    await init.catch(() => undefined);
    while (known !== undefined && (await startTime(known.pid)) === known.startTime) await new Promise((resolve) => setTimeout(resolve, 2));
    return exit;
  });

  let patience: NodeJS.Timeout | undefined;
  void finish.promise.then(() => clearTimeout(patience));
  const killNow = () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    // bwrap hasn't reaped its child yet, or it would have ended: the pid is still the sandbox's. bwrap itself is left to reap it, since
    // orphaned zombies stay for good where the platform is pid 1 of a container.
    if (known !== undefined) signalQuietly(known.pid);
    patience ??= setTimeout(() => child.kill('SIGKILL'), BWRAP_PATIENCE_MS);
  };
  return {
    output,
    channel,
    init,
    ended,
    release: () => block?.end('x'),
    // Killing bwrap before it has told its child's pid could leave the child behind: `init` comes back to it, in a few milliseconds.
    kill: () => {
      killed = true;
      killNow();
    },
  };
}

function spawnBwrap(launcher: Launcher, plan: Plan, uid: number | undefined, held: boolean): { stage: readonly string[]; child: ChildProcess } {
  const open: number[] = [];
  const unnamed = (content: string | Uint8Array) => {
    const descriptor = unnamedFile(launcher.temporaryFolder, content);
    open.push(descriptor);
    return descriptor;
  };
  const bare = [launcher.bwrap, '--args', String(DESCRIPTORS.arguments), '--', ...plan.command];
  try {
    const staged = uid === undefined ? { steps: plan.steps, command: bare, needed: false } : stage(plan.steps, bare, uid, launcher.stageTools);
    const { options, files } = bwrapArguments({ ...plan, steps: staged.steps }, held);
    const stdio: Stdio = ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'];
    stdio[DESCRIPTORS.arguments] = unnamed(options.map((option) => `${option}\0`).join(''));
    stdio[DESCRIPTORS.seccomp] = unnamed(launcher.seccomp);
    stdio[DESCRIPTORS.block] = held ? 'pipe' : 'ignore';
    for (const content of files) stdio.push(unnamed(content));
    const cover = coverInherited(stdio, launcher.inherited);
    if (cover !== undefined) open.push(cover);
    const [file = launcher.bwrap, ...argv] = staged.command;
    const identity = uid === undefined || staged.needed ? {} : { uid, gid: uid };
    // Detached, so that Ctrl-C at the terminal reaches the platform alone and it can drain.
    const child = spawn(file, argv, { cwd: '/', env: {}, stdio, detached: true, ...identity });
    return { stage: staged.command, child };
  } catch (error) {
    if (error instanceof HearthError) throw error;
    throw new HearthError('sandbox_unavailable', `The sandbox could not be started: ${describeSpawnError(error)}`, { cause: error });
  } finally {
    for (const descriptor of open) closeSync(descriptor);
  }
}

/** Reads bwrap's status documents, one JSON object a line; undefined when it ends without having made a sandbox. */
function readInit(status: Readable): Promise<NamespaceInit | undefined> {
  return new Promise((resolve) => {
    let text = '';
    let told = false;
    // A short command may have ended, and the documents with it, while its start time is still being read.
    const over = () => {
      if (!told) resolve(undefined);
    };
    status.on('error', over);
    status.on('close', over);
    status.on('end', over);
    status.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const found: Record<string, unknown> = JSON.parse(line);
        const pid = found['child-pid'];
        if (typeof pid !== 'number') continue;
        told = true;
        const networkNamespace = found['net-namespace'];
        void startTime(pid).then((time) =>
          resolve({ pid, startTime: time ?? '', networkNamespace: typeof networkNamespace === 'number' ? networkNamespace : undefined }),
        );
      }
    });
  });
}

/** bwrap reports a child that a signal ended as 128 + its number. */
export function exitOf(code: number | null, signal: NodeJS.Signals | null): SandboxExit {
  if (code === null || code <= 128) return { code, signal };
  const name = Object.entries(osConstants.signals).find(([, number]) => number === code - 128)?.[0];
  return name === undefined ? { code, signal: null } : { code: null, signal: name };
}

function earlyEnd(failure: Error | undefined, output: OutputRelay): HearthError {
  const said = output.stderrHead;
  const what = failure === undefined ? (said === '' ? 'bwrap ended without a word' : said) : describeSpawnError(failure);
  return new HearthError('sandbox_unavailable', `The sandbox could not be made: ${what}. \`hearth doctor\` checks what it needs.`, {
    cause: failure,
  });
}

function spawnFailure(command: readonly string[], child: ChildProcess): HearthError {
  child.on('error', () => undefined);
  return new HearthError(
    'sandbox_unavailable',
    `${command[0]} could not be started: the platform is out of processes or open files. Raise its limits (ulimit -u, ulimit -n) or lower the number of sandboxes.`,
  );
}

function signalQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}
