/** The parts of V8's .cpuprofile that are used here. */
export interface CpuProfile {
  /** Microseconds of the system's monotonic clock. */
  startTime: number;
  nodes: readonly ProfileNode[];
  /** Id of the node that was on top, per sample. */
  samples: readonly number[];
  /** Microseconds since the sample before, per sample. */
  timeDeltas: readonly number[];
}

interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
}

export interface SelfTime {
  /** Function and place. */
  name: string;
  milliseconds: number;
  /** Of all time but idle time, 0–1. */
  share: number;
}

/**
 * Time that functions spent themselves, not in what they called; largest first. `(idle)` counts for nothing, `(program)` is native code without a frame.
 * Time is the clock's: a thread that waits for a core, or for the disk, seems to be busy where it waits.
 * @param skipMs milliseconds from the profile's beginning that are left out
 */
export function selfTimes(profile: CpuProfile, skipMs: number): SelfTime[] {
  const nameOf = new Map(profile.nodes.map((node) => [node.id, nameNode(node)]));
  const times = new Map<string, number>();
  let busy = 0;
  let elapsed = 0;
  profile.samples.forEach((id, index) => {
    elapsed += profile.timeDeltas[index] ?? 0;
    if (elapsed < skipMs * 1000) return;
    // A sample holds from its own instant to the next one's.
    const microseconds = profile.timeDeltas[index + 1] ?? 0;
    const name = nameOf.get(id) ?? '(unknown)';
    if (name === '(idle)') return;
    busy += microseconds;
    times.set(name, (times.get(name) ?? 0) + microseconds);
  });
  return [...times]
    .map(([name, microseconds]) => ({ name, milliseconds: microseconds / 1000, share: microseconds / busy }))
    .toSorted((a, b) => b.milliseconds - a.milliseconds);
}

function nameNode({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const name = functionName || '(anonymous)';
  if (url === '') return name;
  const place = url.replace(/^.*\/(?=(src|node_modules|bin)\/)/, '');
  return `${name}  ${place}:${lineNumber + 1}`;
}
