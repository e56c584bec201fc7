import { VersionChooser } from '../router/version-chooser.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { TrafficSplit } from '../schemas/traffic.ts';

/** What is in service of one function: its current version, and those that its traffic split names. Immutable. */
export interface FunctionState {
  readonly current: FunctionVersion;
  readonly traffic: Traffic | null;
}

export interface Traffic {
  readonly split: TrafficSplit;
  /** Those that the split names, the newest first. */
  readonly versions: readonly FunctionVersion[];
  /** Since when calls are counted; milliseconds since the epoch. */
  readonly countedSince: number;
}

/** What other parts are told. */
export interface InService {
  /** Its event key is the function's. */
  current: FunctionVersion;
  /** All that calls may come for; one version is the same object as long as it is in service. */
  versions: readonly FunctionVersion[];
  /** Null when every call goes to the current version. */
  chooser: VersionChooser | null;
}

/** All that calls may come for. */
export function versionsIn({ current, traffic }: FunctionState): readonly FunctionVersion[] {
  return traffic ? [...new Set([current, ...traffic.versions])] : [current];
}

export function inService(state: FunctionState, random: () => number): InService {
  const { current, traffic } = state;
  if (!traffic) return { current, versions: versionsIn(state), chooser: null };
  const { split } = traffic;
  const weighted = traffic.versions.map((version) => ({ version, weight: split.weights[version.number] ?? 0 }));
  return {
    current,
    versions: versionsIn(state),
    chooser: new VersionChooser(weighted, current, split.stickyHeader, random),
  };
}

export function versionInService({ current, traffic }: FunctionState, number: number): FunctionVersion | undefined {
  return current.number === number ? current : traffic?.versions.find((version) => version.number === number);
}
