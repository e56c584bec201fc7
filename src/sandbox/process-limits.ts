import { readFile } from 'node:fs/promises';
import { HearthError } from '../errors.ts';
import { findProgram } from './find-program.ts';
import { runCommand } from './run-command.ts';

/** POSIX limits of a process and those that it starts, soft and hard, for a runtime that can't set them on itself. Besides, it leaves no core dumps. */
export interface ProcessLimits {
  openFiles: number;
  /** Bytes of the largest file that it may write. */
  fileBytes: number;
  /** Processes and threads of its user. */
  processes: number;
}

const TIMEOUT_MS = 10_000;
/** Lines of /proc/PID/limits, with the options of prlimit. */
const LINES = { openFiles: ['Max open files', 'nofile'], fileBytes: ['Max file size', 'fsize'], processes: ['Max processes', 'nproc'] } as const;

export interface LimitedProcess {
  /** The caller knows that it is still that process'. */
  pid: number;
  /** User whose process it is; left out: our own. Root, too, may not have the right to bound others'. */
  uid?: number | undefined;
}

/**
 * Sets them on a process that runs already, none above what it is bounded by anyway.
 * @param path on which prlimit is looked up
 * @throws HearthError sandbox_unavailable
 */
export async function limitProcess({ pid, uid }: LimitedProcess, limits: ProcessLimits, path: string): Promise<void> {
  const prlimit = findProgram('prlimit', path);
  if (prlimit === undefined) {
    throw new HearthError('sandbox_unavailable', 'prlimit, which bounds functions of Node.js, is not on PATH; install the package util-linux.');
  }
  const inForce = await readFile(`/proc/${pid}/limits`, 'utf8').catch((cause: Error) => {
    throw new HearthError('sandbox_unavailable', `The limits of a process could not be read: ${cause.message}.`, { cause });
  });
  const options = (Object.keys(LINES) as (keyof ProcessLimits)[]).map((member) => {
    const [line, option] = LINES[member];
    const hard = new RegExp(`^${line} +\\S+ +(\\d+)`, 'm').exec(inForce)?.[1];
    return `--${option}=${Math.min(limits[member], Number(hard ?? Number.POSITIVE_INFINITY))}`;
  });
  const result = await runCommand(prlimit, ['--pid', String(pid), ...options, '--core=0'], {
    environment: { LC_ALL: 'C' },
    timeoutMs: TIMEOUT_MS,
    ...(uid === undefined ? {} : { uid }),
  });
  if (result.code === 0) return;
  throw new HearthError(
    'sandbox_unavailable',
    `The limits of a process could not be set: ${result.stderr.trim() || `prlimit ended with ${result.code}`}.`,
  );
}
