import type { Plan, Step } from './plan.ts';

/** Descriptors that bwrap inherits at fixed numbers; files of the plan follow from `FIRST_FILE` on. */
export const DESCRIPTORS = { channel: 3, status: 4, arguments: 5, seccomp: 6, block: 7, firstFile: 8 } as const;

/** uid and gid as seen inside: the kernel's overflow id, which names nobody. */
const INSIDE_ID = '65534';

export interface BwrapArguments {
  /** Options, for --args. */
  options: string[];
  /** Contents that bwrap reads from the descriptors from `DESCRIPTORS.firstFile` on, in this order. */
  files: string[];
}

/**
 * Every namespace is named: --unshare-all would go on without a user or cgroup namespace where it can't have one.
 * Not --disable-userns and not --dev: both make bwrap nest a second user namespace, which slirp4netns can't enter; the seccomp
 * filter forbids further namespaces instead.
 */
export function bwrapArguments(plan: Plan, held: boolean): BwrapArguments {
  const files: string[] = [];
  const options = [
    ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup'],
    ...(plan.network === 'host' ? [] : ['--unshare-net']),
    ...['--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...['--uid', INSIDE_ID, '--gid', INSIDE_ID, '--hostname', 'fn', '--clearenv'],
    ...['--json-status-fd', String(DESCRIPTORS.status), '--seccomp', String(DESCRIPTORS.seccomp)],
    ...(held ? ['--block-fd', String(DESCRIPTORS.block)] : []),
    ...Object.entries(plan.environment).flatMap(([name, value]) => ['--setenv', name, value]),
    ...plan.steps.flatMap((step) => stepOptions(step, files)),
    ...['--chdir', plan.workingFolder],
  ];
  return { options, files };
}

const BIND_OPTION = { ro: '--ro-bind', rw: '--bind', dev: '--dev-bind' } as const;

function stepOptions(step: Step, files: string[]): string[] {
  switch (step.kind) {
    case 'bind':
      return [BIND_OPTION[step.access], step.source, step.target];
    case 'symlink':
      return ['--symlink', step.to, step.target];
    case 'tmpfs':
      return ['--perms', step.mode, '--size', String(step.bytes), '--tmpfs', step.target];
    case 'folder':
      return ['--dir', step.target];
    case 'file':
      files.push(step.content);
      return ['--perms', '0444', '--file', String(DESCRIPTORS.firstFile + files.length - 1), step.target];
    case 'proc':
      return ['--proc', step.target];
    case 'remount-read-only':
      return ['--remount-ro', step.target];
  }
}
