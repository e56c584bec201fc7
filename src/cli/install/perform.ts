import { execFile } from 'node:child_process';
import { chmod, chown, lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { HearthError } from '../../errors.ts';
import type { Owner, Step } from './plan.ts';

export interface PerformOptions {
  /** Folder that stands for /; `/` for the machine itself. */
  root: string;
  /** Whether owners are set: only root can, and a staged tree has none. */
  setOwners: boolean;
}

/** In the words of a shell where there are some, without doing anything. */
export function describe(step: Step, root: string): string {
  const at = (path: string): string => join(root, path);
  switch (step.kind) {
    case 'folder':
      return `install -d -m ${octal(step.mode)} -o ${step.owner.user} -g ${step.owner.group} ${at(step.path)}`;
    case 'file':
      return `write ${at(step.path)}, mode ${octal(step.mode)}, owner ${step.owner.user}:${step.owner.group}${step.keep ? ', unless it is there' : ''}`;
    case 'remove':
      return `rm -rf ${at(step.path)}`;
    case 'command':
      return step.argv.join(' ');
  }
}

/** @returns whether it changed anything @throws HearthError invalid_config naming the step that failed */
export async function perform(step: Step, { root, setOwners }: PerformOptions): Promise<boolean> {
  try {
    switch (step.kind) {
      case 'folder':
        return await folder(join(root, step.path), step.mode, setOwners ? step.owner : null);
      case 'file':
        return await file(join(root, step.path), step, setOwners ? step.owner : null);
      case 'remove':
        return await remove(join(root, step.path));
      case 'command':
        await promisify(execFile)(step.argv[0] as string, step.argv.slice(1)).catch((error: unknown) => {
          if (!step.mayFail) throw error;
        });
        return true;
    }
  } catch (cause) {
    throw new HearthError(
      'invalid_config',
      `This step failed: ${describe(step, root)}: ${(cause as Error).message.trim()}. What came before it is done; run the command again when it is mended.`,
      {
        cause,
      },
    );
  }
}

async function folder(path: string, mode: number, owner: Owner | null): Promise<boolean> {
  const made = (await mkdir(path, { recursive: true })) !== undefined;
  await chmod(path, mode);
  if (owner) await chown(path, ...(await idsOf(owner)));
  return made;
}

async function file(path: string, { text, mode, keep }: Extract<Step, { kind: 'file' }>, owner: Owner | null): Promise<boolean> {
  const before = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (before !== undefined && (keep || before === text)) return false;
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.partial`;
  await rm(partial, { force: true });
  await writeFile(partial, text, { mode: 0o600, flag: 'wx', flush: true });
  if (owner) await chown(partial, ...(await idsOf(owner)));
  await chmod(partial, mode);
  await rename(partial, path);
  return true;
}

async function remove(path: string): Promise<boolean> {
  const there = await lstat(path).then(
    () => true,
    () => false,
  );
  await rm(path, { recursive: true, force: true });
  return there;
}

/** By the machine's own database, in which LDAP may have a part. */
async function idsOf({ user, group }: Owner): Promise<[uid: number, gid: number]> {
  const id = async (database: string, name: string): Promise<number> => {
    if (name === 'root') return 0;
    const { stdout } = await promisify(execFile)('getent', [database, name]);
    return Number(stdout.split(':')[2]);
  };
  return [await id('passwd', user), await id('group', group)];
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
