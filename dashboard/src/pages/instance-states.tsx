import type { ResponseOf } from '../../../src/client/client.ts';
import { StateBadge } from '../ui/badge.tsx';

type Instance = ResponseOf<'GET /functions/instances/{id}'>;
export type States = ReadonlyMap<string, number>;

export function countStates(instances: readonly Instance[]): Map<string, Map<string, number>> {
  const counted = new Map<string, Map<string, number>>();
  for (const { function_name: name, state } of instances) {
    const states = counted.get(name) ?? new Map<string, number>();
    states.set(state, (states.get(state) ?? 0) + 1);
    counted.set(name, states);
  }
  return counted;
}

/** How many instances there are, by what they do. */
export function InstanceStates({ states }: { states: States | undefined }) {
  if (states === undefined) return <span class="faint">none</span>;
  return (
    <span class="badges">
      {[...states].map(([state, count]) => (
        <span key={state}>
          {count} <StateBadge state={state} />
        </span>
      ))}
    </span>
  );
}
