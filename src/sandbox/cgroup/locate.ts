import { join, posix } from 'node:path';
import type { CgroupMount, OwnGroup } from './proc-files.ts';

export const CONTROLLERS = ['memory', 'cpu', 'pids'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** A cgroup of the host, below which the platform may try to make others. */
export interface Place {
  version: 1 | 2;
  /** Absolute path. */
  folder: string;
}

/** Leaves that platforms move themselves to; see claim-groups.ts. */
const LEAF_NAME = /^hearth-[0-9a-f]+\.platform$/;

/**
 * Where groups that a controller bounds would have to be made, by what the kernel tells: in version 1 if it has that controller there, else in version 2.
 * Whether they can be made there is another question.
 * @param parent path of a group below the mount point of each hierarchy; empty: the group that we are in
 */
export function locate(controller: string, groups: readonly OwnGroup[], mounts: readonly CgroupMount[], parent: string): Place | { reason: string } {
  const first = groups.find(({ controllers }) => controllers.includes(controller));
  const version = first === undefined ? 2 : 1;
  const group = first ?? groups.find(({ hierarchy }) => hierarchy === 0);
  if (group === undefined) return { reason: 'this kernel has no cgroups' };
  const candidates = mounts.filter((mount) => (version === 2 ? mount.version === 2 : mount.controllers.includes(controller)));
  if (candidates.length === 0)
    return { reason: version === 2 ? 'no cgroup2 is mounted' : `the hierarchy of cgroup v1 with ${controller} is not mounted` };
  if (parent !== '') return { version, folder: posix.join((candidates[0] as CgroupMount).mountPoint, parent) };
  for (const { root, mountPoint } of candidates) {
    const below = relativeTo(root, group.path);
    if (below !== undefined) return { version, folder: withoutLeaf(join(mountPoint, below)) };
  }
  return { reason: `the platform's own cgroup ${group.path} is not visible below ${candidates.map(({ mountPoint }) => mountPoint).join(', ')}` };
}

function relativeTo(root: string, path: string): string | undefined {
  if (path.startsWith('/..')) return undefined;
  if (root === '/' || path === root) return path === root ? '' : path;
  return path.startsWith(`${root}/`) ? path.slice(root.length) : undefined;
}

/** Whoever was moved to a platform's leaf has children that are born there. */
function withoutLeaf(folder: string): string {
  return LEAF_NAME.test(posix.basename(folder)) ? posix.dirname(folder) : folder;
}
