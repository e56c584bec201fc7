import { Worker } from 'node:worker_threads';
import { HearthError } from '../../errors.ts';
import type { DriverLog } from '../options.ts';
import type { GroupLimits } from './group.ts';
import type { GroupEnd, GroupKind, KeeperSettings } from './group-keeper.ts';
import type { Opening, Operations, ThreadData, ThreadRequest, ThreadResponse } from './thread-messages.ts';

/** The group of one process tree; made when the first process joins it. */
export interface CgroupHandle {
  /**
   * Moves a process and its descendants into it; all that they fork from then on is in it too.
   * @throws HearthError sandbox_unavailable when it can't be, or the process is gone
   */
  join(pid: number): Promise<void>;
  /** Bounds it otherwise than its kind is; members that are left out stay as they are. @throws HearthError sandbox_unavailable */
  limit(limits: Partial<GroupLimits>): Promise<void>;
  /** Processes in it that the kernel killed for want of memory, so far. Never rejects. */
  oomKills(): Promise<number>;
  /** Kills what is left in it and removes it; resolves with `oomKills` when it is gone, or can't be removed within seconds. Never rejects. */
  end(): Promise<number>;
}

export interface Cgroups {
  /** What was found: by controller, where it bounds groups, or why it can't and what to do. Controllers are memory, cpu and pids. */
  readonly found: Omit<Opening, 'leftovers'>;
  /** Undefined where no controller bounds anything. */
  group(kind: GroupKind): CgroupHandle | undefined;
  /** Ends all groups that are left. */
  close(): Promise<void>;
}

export interface CgroupOptions extends Omit<ThreadData, 'pid'> {
  settings: KeeperSettings;
  log: DriverLog;
}

/**
 * Finds out which controllers can bound sandboxes here, and ends what a predecessor has left. All of it happens in a thread of its own, because the kernel may
 * take tens of milliseconds for the move of a process.
 * @throws HearthError sandbox_unavailable when the thread can't be started, which says nothing about cgroups
 */
export async function openCgroups({ log, ...data }: CgroupOptions): Promise<Cgroups> {
  // Nobody rewrites a string: from source the thread is thread.ts, from the compiled package thread.js.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./thread.${extension}`, import.meta.url), {
    name: 'hearth-cgroups',
    workerData: { ...data, pid: process.pid } satisfies ThreadData,
  });
  const pending = new Map<number, PromiseWithResolvers<never>>();
  let lastRequest = 0;
  let lastGroup = 0;
  let gone: HearthError | undefined;
  let closing: Promise<void> | undefined;

  const opening = Promise.withResolvers<Opening>();
  let cause: unknown;
  worker.on('error', (error) => {
    cause = error;
  });
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      const reason = cause instanceof Error ? cause.message : 'it ended by itself';
      gone = new HearthError('sandbox_unavailable', `The thread that keeps cgroups has died (${reason}); restart the platform.`, { cause });
      opening.reject(gone);
      for (const call of pending.values()) call.reject(gone);
      pending.clear();
      if (closing === undefined) log.warn({ err: gone }, 'No more sandboxes can be made: the thread that keeps cgroups has died.');
      resolve();
    });
  });
  worker.once('message', (message: Opening) => {
    opening.resolve(message);
    worker.on('message', (response: ThreadResponse) => {
      const call = pending.get(response.id);
      pending.delete(response.id);
      if ('error' in response) call?.reject(new HearthError('sandbox_unavailable', `The sandbox's cgroup could not be used: ${response.error}.`));
      else call?.resolve(response.value as never);
    });
  });

  function call<O extends keyof Operations>(operation: O, ...args: Parameters<Operations[O]>): Promise<Awaited<ReturnType<Operations[O]>>> {
    if (gone !== undefined) return Promise.reject(gone);
    const id = ++lastRequest;
    const answer = Promise.withResolvers<never>();
    pending.set(id, answer);
    worker.postMessage({ id, operation, args } satisfies ThreadRequest);
    return answer.promise;
  }

  const { places, reasons, leftovers } = await opening.promise;
  if (leftovers.ended > 0) log.warn({ groups: leftovers.ended }, 'cgroups that the platform had left behind, as it was killed, are removed');
  if (leftovers.stuck.length > 0) log.warn({ groups: leftovers.stuck }, 'cgroups that the platform had left behind can not be removed');
  const bounds = Object.keys(places).length > 0;

  const end = async (group: number): Promise<number> => {
    const { removed, oomKills } = await call('end', group).catch((): GroupEnd => ({ removed: true, oomKills: 0 }));
    if (!removed) log.warn({ group }, 'A cgroup can not be removed: a process in it does not die. The next start of the platform tries again.');
    return oomKills;
  };
  return {
    found: { places, reasons },
    group: (kind) => {
      if (!bounds) return undefined;
      const group = ++lastGroup;
      return {
        join: async (pid) => {
          if (!(await call('join', group, kind, pid)))
            throw new HearthError('sandbox_unavailable', 'The sandbox ended before it had joined its cgroup.');
        },
        limit: (limits) => call('limit', group, limits),
        oomKills: () => call('oomKills', group).catch(() => 0),
        end: () => end(group),
      };
    },
    close: () => {
      closing ??= call('close').then(
        () => exited,
        () => exited,
      );
      return closing;
    },
  };
}
