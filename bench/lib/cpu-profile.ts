/** The parts of V8's .cpuprofile that are used here. */
export interface CpuProfile {
  /** Microseconds of the process's monotonic clock. */
  startTime: number;
  endTime: number;
  nodes: readonly ProfileNode[];
  /** Id of the node that was on top, per sample. */
  samples: readonly number[];
  /** Microseconds since the sample before, per sample. */
  timeDeltas: readonly number[];
}

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: readonly number[];
}

export interface Time {
  /** Function and place. */
  name: string;
  milliseconds: number;
  /** Of all time but idle time, 0–1. */
  share: number;
}

/** Whose account a sample goes to: the function on top, or the innermost one of the project's own, which then pays for what it calls in Node.js and libraries. */
export type Account = 'self' | 'own';

/**
 * Where a thread's time went, largest first. `(idle)` counts for nothing; `(program)` is native code without a frame.
 * Time is the clock's: a thread that waits for a core, or for the disk, seems to be busy where it waits.
 * @param skipMs milliseconds from the profile's beginning that are left out
 */
export function accountTimes(profile: CpuProfile, account: Account, skipMs: number): Time[] {
  const nameOf = account === 'self' ? new Map(profile.nodes.map((node) => [node.id, nameNode(node)])) : ownNames(profile.nodes);
  const idle = new Set(profile.nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id));
  const times = new Map<string, number>();
  let busy = 0;
  let elapsed = 0;
  profile.samples.forEach((id, index) => {
    elapsed += profile.timeDeltas[index] ?? 0;
    if (elapsed < skipMs * 1000 || idle.has(id)) return;
    // A sample holds from its own instant to the next one's.
    const microseconds = profile.timeDeltas[index + 1] ?? 0;
    const name = nameOf.get(id) ?? '(unknown)';
    busy += microseconds;
    times.set(name, (times.get(name) ?? 0) + microseconds);
  });
  return [...times]
    .map(([name, microseconds]) => ({ name, milliseconds: microseconds / 1000, share: microseconds / busy }))
    .toSorted((a, b) => b.milliseconds - a.milliseconds);
}

/** A function of ours keeps its own name; any other goes by that of its caller. */
function ownNames(nodes: readonly ProfileNode[]): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const names = new Map<number, string>();
  const open: { node: ProfileNode; owner: string }[] = nodes.slice(0, 1).map((node) => ({ node, owner: '(Node.js itself)' }));
  for (let item = open.pop(); item; item = open.pop()) {
    const { node } = item;
    const isOwn = /\/(src|bin)\//.test(node.callFrame.url) && !node.callFrame.url.includes('/node_modules/');
    const isEngine =
      node.callFrame.functionName.startsWith('(') && node.callFrame.functionName !== '(anonymous)' && node.callFrame.functionName !== '(root)';
    const owner = isOwn || isEngine ? nameNode(node) : item.owner;
    names.set(node.id, owner);
    for (const id of node.children ?? []) {
      const child = byId.get(id);
      if (child) open.push({ node: child, owner });
    }
  }
  return names;
}

function nameNode({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const name = functionName || '(anonymous)';
  if (url === '') return name;
  const place = url.replace(/^.*\/(?=(src|node_modules|bin)\/)/, '');
  return `${name}  ${place}:${lineNumber + 1}`;
}
