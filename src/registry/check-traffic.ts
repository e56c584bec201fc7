import { HearthError } from '../errors.ts';
import { parseEventKey } from '../router/event-key.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { TrafficDefinition } from '../schemas/traffic.ts';
import { candidateOf } from './traffic-weights.ts';

/** What the schema can't say about a split by itself. @throws HearthError invalid_request that names the member */
export function checkTraffic({ weights, rollback_on: rollbackOn }: TrafficDefinition): void {
  const sum = Object.values(weights).reduce((total, weight) => total + weight, 0);
  if (sum !== 100) throw invalid('weights', `they sum to ${sum}; it must be 100.`);
  if (rollbackOn && candidateOf(weights) === undefined) {
    throw invalid('rollback_on', 'a rollback takes the share of the newest version, so that one needs a share, and another version to give it to.');
  }
}

/** What it says about versions. @throws HearthError invalid_request that names the member */
export function checkSplitVersion(number: number, version: FunctionVersion | undefined, current: FunctionVersion): FunctionVersion {
  const { functionName } = current;
  if (!version) throw invalid(`weights.${number}`, `the function "${functionName}" has no version ${number}.`);
  if (!sameEventKey(version.eventKey, current.eventKey)) {
    throw invalid(`weights.${number}`, `version ${number} has the event key ${version.eventKey}, the function has ${current.eventKey} now.`);
  }
  return version;
}

export function sameEventKey(one: string, other: string): boolean {
  const [a, b] = [parseEventKey(one), parseEventKey(other)];
  if (a.kind !== 'http' || b.kind !== 'http') return a.kind === b.kind && one === other;
  return a.verb === b.verb && a.path === b.path;
}

function invalid(field: string, message: string): HearthError {
  return new HearthError('invalid_request', `${field}: ${message}`, { extra: { errors: [{ field, message }] } });
}
