/** What the kernel tells of cgroups in /proc/self/cgroup and /proc/self/mountinfo: cgroups(7), proc_pid_mountinfo(5). */

/** A line of /proc/self/cgroup: the group of one hierarchy that we are in. */
export interface OwnGroup {
  /** 0 is that of version 2. */
  hierarchy: number;
  /** Of version 1: those that this hierarchy has. */
  controllers: readonly string[];
  /** As our cgroup namespace sees it; begins with `/..` when the group lies outside of it. */
  path: string;
}

export interface CgroupMount {
  version: 1 | 2;
  /** Of version 1. */
  controllers: readonly string[];
  /** The group that appears at the mount point. */
  root: string;
  mountPoint: string;
}

/** Options of a mount that name no controller. */
const NO_CONTROLLERS = /^(rw|ro|xattr|noprefix|clone_children|release_agent=.*|name=.*|favordynmods|nsdelegate|memory_.*|pids_.*|cpuset_v2_mode)$/;

export function parseOwnGroups(text: string): OwnGroup[] {
  return text.split('\n').flatMap((line) => {
    const [, hierarchy, controllers = '', path = '/'] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    return hierarchy === undefined ? [] : [{ hierarchy: Number(hierarchy), controllers: controllers.split(',').filter(Boolean), path }];
  });
}

export function parseCgroupMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split('\n').flatMap((line) => {
    // Optional fields, as many as there are, end with a lone hyphen.
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '/', mountPoint = ''] = before.split(' ').map(unescapeOctal);
    const [type, , options = ''] = after.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') return [];
    const controllers = type === 'cgroup' ? options.split(',').filter((option) => !NO_CONTROLLERS.test(option)) : [];
    return [{ version: type === 'cgroup2' ? 2 : 1, controllers, root, mountPoint }];
  });
}

/** Blanks, tabs, newlines and backslashes are written as \ooo. */
function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
