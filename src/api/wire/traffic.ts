import { type Static, Type } from 'typebox';
import type { TrafficStatus } from '../../registry/traffic-control.ts';
import { FunctionName } from '../../schemas/function-name.ts';
import { Instant, Nullable, OneOf, Warnings } from './common.ts';

const Weight = Type.Integer({ description: 'Percent of calls.' });

const members = {
  function_name: FunctionName,
  current_version: Type.Integer({ description: 'Gets all calls once the split ends.' }),
  state: OneOf(['active', 'rolled_back'], { description: '`rolled_back`: the newest version has lost its share by itself.' }),
  weights: Type.Object({}, { additionalProperties: Weight, description: 'Percent of calls by version number; as they are now.' }),
  sticky_header: Nullable(Type.String()),
  rollback_on: Nullable(Type.Object({ error_rate: Type.Number(), minimum_calls: Type.Integer(), window_ms: Type.Integer() })),
  rolled_back: Nullable(Type.Object({ version: Type.Integer(), at: Instant, reason: Type.String() })),
  versions: Type.Array(
    Type.Object({
      version: Type.Integer(),
      weight: Weight,
      calls: Type.Integer({ description: 'Calls that the function had its part in; not those refused, or whose caller left.' }),
      errors: Type.Integer({ description: 'Of these, the ones that it failed, and its own answers of 500 and above.' }),
    }),
    { description: 'Those that X-Hearth-Version reaches, the newest first.' },
  ),
  counted_since: Instant,
  created_at: Instant,
};

export const Traffic = Type.Object(members, { title: 'Traffic' });

export const TrafficSet = Type.Object({ status: Type.Literal('ok'), ...members, warnings: Warnings });

export const TrafficEnded = Type.Object({
  status: Type.Literal('ok'),
  deleted: Type.Boolean({ description: 'Whether there was a split.' }),
  current_version: members.current_version,
  warnings: Warnings,
});

export function traffic({ split, current, versions, countedSince }: TrafficStatus): Static<typeof Traffic> {
  const { rollbackOn } = split;
  return {
    function_name: split.functionName,
    current_version: current.number,
    state: split.state,
    weights: { ...split.weights },
    sticky_header: split.stickyHeader,
    rollback_on: rollbackOn && { error_rate: rollbackOn.errorRate, minimum_calls: rollbackOn.minimumCalls, window_ms: rollbackOn.windowMs },
    rolled_back: split.rolledBack && { ...split.rolledBack },
    versions: versions.map(({ version, weight, calls, errors }) => ({ version: version.number, weight, calls, errors })),
    counted_since: countedSince,
    created_at: split.createdAt,
  };
}
