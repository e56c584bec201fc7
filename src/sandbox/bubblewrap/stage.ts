import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { HearthError } from '../../errors.ts';
import type { Step } from './plan.ts';

/**
 * bwrap runs as an unprivileged user and opens the sources of its mounts as such. A source below a folder that others may not enter
 * (a checkout in /root) is therefore bound by root to a place that they may enter, in a mount namespace made for this one sandbox.
 * Only root has a stage: an ordinary user reaches what it reaches.
 */

export interface Stage {
  /** The plan's steps with the sources as bwrap will find them. */
  steps: Step[];
  /** argv that ends in `command`, run as the given user; `command` itself when nothing is to be staged. */
  command: readonly string[];
  /** True when the command starts as root and gives that up itself. */
  needed: boolean;
}

/** Existing folders that the stage may cover; the first that no source lies below is taken. */
const PLACES = ['/mnt', '/media', '/srv', '/opt'];

const SCRIPT = `
set -eu
PATH=$1 place=$2 count=$3
shift 3
mount -t tmpfs -o mode=0755,size=1m stage "$place"
index=0
while [ "$index" -lt "$count" ]; do
  if [ -d "$1" ]; then mkdir "$place/$index"; else : > "$place/$index"; fi
  mount --bind "$1" "$place/$index"
  index=$((index + 1))
  shift
done
exec "$@"
`;

export interface StageTools {
  unshare: string;
  setpriv: string;
}

/** @throws HearthError sandbox_unavailable when a source is needed that others can't read, or no place is free for the stage */
export function stage(steps: readonly Step[], command: readonly string[], uid: number, tools: StageTools | undefined): Stage {
  const sources = steps.flatMap((step) => (step.kind === 'bind' && step.access !== 'dev' ? [step.source] : []));
  const unreadable = sources.filter((source) => !readableByOthers(source));
  if (unreadable.length > 0) {
    throw new HearthError(
      'sandbox_unavailable',
      `Sandboxes run as an unprivileged user, which may not read ${unreadable.join(', ')}; chmod -R o+rX it.`,
    );
  }
  const unreachable = [...new Set(sources.filter((source) => !reachableByOthers(source)))];
  if (unreachable.length === 0) return { steps: [...steps], command, needed: false };
  if (tools === undefined) {
    throw new HearthError(
      'sandbox_unavailable',
      `Other users may not enter a folder above ${unreachable.join(', ')}; install unshare and setpriv (package util-linux), or move it.`,
    );
  }
  const place = PLACES.find((folder) => isFolder(folder) && !sources.some((source) => source === folder || source.startsWith(`${folder}/`)));
  if (place === undefined)
    throw new HearthError('sandbox_unavailable', `None of ${PLACES.join(', ')} is free to stage ${unreachable.join(', ')} in.`);
  const staged = (source: string) => {
    const index = unreachable.indexOf(source);
    return index < 0 ? source : `${place}/${index}`;
  };
  return {
    needed: true,
    steps: steps.map((step) => (step.kind === 'bind' ? { ...step, source: staged(step.source) } : step)),
    command: [
      ...[tools.unshare, '--mount', '--propagation', 'private', '--', '/bin/sh', '-c', SCRIPT, 'stage'],
      ...['/usr/sbin:/usr/bin:/sbin:/bin', place, String(unreachable.length), ...unreachable.map((source) => realpathSync(source))],
      ...[tools.setpriv, '--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--', ...command],
    ],
  };
}

/** True when every folder above the path lets others pass. */
function reachableByOthers(path: string): boolean {
  let folder = realpathSync(path);
  while (folder !== '/') {
    folder = dirname(folder);
    if ((statSync(folder).mode & 0o001) === 0) return false;
  }
  return true;
}

function readableByOthers(path: string): boolean {
  const stats = statSync(path);
  const needed = stats.isDirectory() ? 0o005 : 0o004;
  return (stats.mode & needed) === needed;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
