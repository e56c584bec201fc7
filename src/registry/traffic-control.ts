import { isDeepStrictEqual } from 'node:util';
import { HearthError } from '../errors.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { TrafficDefinition, TrafficSplit } from '../schemas/traffic.ts';
import type { Store, StoredFunction } from '../store/store.ts';
import { sayIfOpened } from './check-policy.ts';
import { checkSplitVersion, checkTraffic } from './check-traffic.ts';
import { type FunctionState, versionInService } from './in-service.ts';
import type { Sequence } from './sequence.ts';
import type { TrafficMonitor, VersionCounts } from './traffic-monitor.ts';
import { candidateOf, numbersOf, withoutShare } from './traffic-weights.ts';

export interface TrafficControlParts {
  store: Pick<Store, 'version' | 'makeCurrent' | 'trafficSplits' | 'putTrafficSplit' | 'deleteTrafficSplit'>;
  monitor: TrafficMonitor;
  sequence: Sequence;
  /** Runs a change that somebody asks for in the function's turn, from what is in force by then. */
  change<T>(functionName: string, task: () => Promise<T>): Promise<T>;
  /** The registry's. */
  states: Map<string, FunctionState>;
  /** Milliseconds since the epoch. */
  clock: () => number;
  log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
  /** Puts a state in force: in memory, and wherever calls are routed. */
  apply(functionName: string, state: FunctionState): void;
  /** @returns warnings */
  warmUp(versions: readonly FunctionVersion[]): Promise<string[]>;
  /** Runs the task while the version's layers can't be removed. @throws HearthError conflict when one is gone already */
  holdingLayers<T>(versions: readonly FunctionVersion[], task: () => Promise<T>): Promise<T>;
}

/** A split, and what came of its calls. */
export interface TrafficStatus {
  split: TrafficSplit;
  current: FunctionVersion;
  /** The newest first; the current version among them. */
  versions: readonly ({ version: FunctionVersion; weight: number } & VersionCounts)[];
  countedSince: number;
}

export interface TrafficControl {
  /**
   * Makes an earlier version current again, and ends the traffic split: all calls go to it.
   * @param number the one before the current version when left out
   * @throws HearthError not_found, unknown_version, conflict, store_unavailable
   */
  rollback(functionName: string, number?: number): Promise<{ version: FunctionVersion; from: number; warnings: string[] }>;
  /** Undefined when there is no split. @throws HearthError not_found */
  traffic(functionName: string): TrafficStatus | undefined;
  /** Makes a split, or replaces it; counting begins anew. @throws HearthError not_found, invalid_request, conflict, store_unavailable */
  setTraffic(functionName: string, definition: TrafficDefinition): Promise<{ status: TrafficStatus; warnings: string[] }>;
  /** All calls go to the current version. `ended` tells whether there was a split. @throws HearthError not_found, store_unavailable */
  endTraffic(functionName: string): Promise<{ ended: boolean; current: FunctionVersion; warnings: string[] }>;
}

/** How the registry takes over what the store has. */
export interface TrafficLoading {
  /** All splits, once the states are there. */
  load(): Promise<void>;
  /** One function's, with the objects that are in service already; `before` itself when it is no other. */
  merge(stored: StoredFunction, before: FunctionState | undefined): Promise<FunctionState>;
  /** Puts it in force; counting begins anew where the split is another. */
  enforce(functionName: string, state: FunctionState): void;
}

export function createTrafficControl(parts: TrafficControlParts): { control: TrafficControl; loading: TrafficLoading } {
  const { store, monitor, sequence, states, clock, log } = parts;

  function stateOf(functionName: string): FunctionState {
    const state = states.get(functionName);
    if (!state) throw new HearthError('not_found', `There is no function "${functionName}".`);
    return state;
  }

  async function find(state: FunctionState, number: number): Promise<FunctionVersion | undefined> {
    return versionInService(state, number) ?? (await store.version(state.current.functionName, number));
  }

  function watch(functionName: string, split: TrafficSplit): void {
    const version = split.state === 'active' ? candidateOf(split.weights) : undefined;
    const judged = version !== undefined && split.rollbackOn !== null;
    monitor.watch(
      functionName,
      judged ? { version, bound: split.rollbackOn, onExceeded: (reason) => takeShare(functionName, split, version, reason) } : null,
    );
  }

  function put(functionName: string, split: TrafficSplit, versions: readonly FunctionVersion[]): void {
    watch(functionName, split);
    parts.apply(functionName, { ...stateOf(functionName), traffic: { split, versions, countedSince: clock() } });
  }

  async function merge(stored: StoredFunction, before: FunctionState | undefined): Promise<FunctionState> {
    const current = (before && versionInService(before, stored.current.number)) ?? stored.current;
    const { split } = stored;
    if (before?.current === current && isDeepStrictEqual(before.traffic?.split ?? null, split)) return before;
    if (split === null) return { current, traffic: null };
    if (before?.traffic && isDeepStrictEqual(before.traffic.split, split)) return { current, traffic: before.traffic };
    const known = before ?? { current, traffic: null };
    const versions = await Promise.all(numbersOf(split.weights).map((number) => (current.number === number ? current : find(known, number))));
    return { current, traffic: { split, versions: versions.filter((version) => version !== undefined), countedSince: clock() } };
  }

  function enforce(functionName: string, state: FunctionState): void {
    if (!state.traffic) monitor.unwatch(functionName);
    else if (states.get(functionName)?.traffic !== state.traffic) watch(functionName, state.traffic.split);
    parts.apply(functionName, state);
  }

  /** At once in memory, where it ends the harm; written down when the function's turn comes. */
  function takeShare(functionName: string, split: TrafficSplit, version: number, reason: string): void {
    const state = states.get(functionName);
    if (!state?.traffic || state.traffic.split !== split) return;
    monitor.acquit(functionName);
    const rolledBack: TrafficSplit = {
      ...split,
      weights: withoutShare(split.weights, version),
      state: 'rolled_back',
      rolledBack: { version, at: clock(), reason },
    };
    parts.apply(functionName, { ...state, traffic: { ...state.traffic, split: rolledBack } });
    log.warn({ function: functionName, version, reason, weights: rolledBack.weights }, 'a version was rolled back by itself');
    const written = sequence.run(functionName, async () => {
      if (states.get(functionName)?.traffic?.split === rolledBack) await store.putTrafficSplit(rolledBack);
    });
    written.catch((error: unknown) => log.error({ err: error, function: functionName, version }, 'a rollback could not be written down'));
  }

  function statusOf({ current, traffic }: FunctionState): TrafficStatus | undefined {
    if (!traffic) return undefined;
    const { split, countedSince } = traffic;
    const versions = [...new Set([current, ...traffic.versions])]
      .sort((a, b) => b.number - a.number)
      .map((version) => ({ version, weight: split.weights[version.number] ?? 0, ...monitor.counts(current.functionName, version.number) }));
    return { split, current, versions, countedSince };
  }

  async function rollback(functionName: string, number: number | undefined) {
    const state = stateOf(functionName);
    const from = state.current.number;
    const target = await find(state, number ?? from - 1);
    if (!target) {
      if (number === undefined) throw new HearthError('conflict', `Version ${from} of "${functionName}" is its first: there is none before it.`);
      throw new HearthError(
        'unknown_version',
        `The function "${functionName}" has no version ${number}; GET /functions/${functionName}/versions lists them.`,
      );
    }
    return parts.holdingLayers([target], async () => {
      if ((await store.makeCurrent(functionName, target.number)) === undefined) throw new Error(`version ${target.number} vanished from the store`);
      const warnings = await parts.warmUp([target]);
      warnings.push(...sayIfOpened(stateOf(functionName).current, target));
      if (stateOf(functionName).traffic) warnings.push('The traffic split was ended.');
      monitor.unwatch(functionName);
      parts.apply(functionName, { current: target, traffic: null });
      return { version: target, from, warnings };
    });
  }

  async function setTraffic(functionName: string, definition: TrafficDefinition) {
    const state = stateOf(functionName);
    const { weights, sticky_header: stickyHeader, rollback_on: bound } = definition;
    const versions: FunctionVersion[] = [];
    for (const number of numbersOf(weights)) versions.push(checkSplitVersion(number, await find(state, number), state.current));
    const split: TrafficSplit = {
      functionName,
      weights: { ...weights },
      stickyHeader: stickyHeader?.toLowerCase() ?? null,
      rollbackOn: bound ? { errorRate: bound.error_rate, minimumCalls: bound.minimum_calls, windowMs: bound.window_ms } : null,
      state: 'active',
      rolledBack: null,
      createdAt: clock(),
    };
    return parts.holdingLayers(versions, async () => {
      await store.putTrafficSplit(split);
      const warnings = await parts.warmUp(versions.filter(({ number }) => (weights[number] ?? 0) > 0));
      put(functionName, split, versions);
      return { status: statusOf(stateOf(functionName)) as TrafficStatus, warnings };
    });
  }

  async function endTraffic(functionName: string) {
    const { current, traffic } = stateOf(functionName);
    await store.deleteTrafficSplit(functionName);
    if (!traffic) return { ended: false, current, warnings: [] };
    const warnings = await parts.warmUp([current]);
    monitor.unwatch(functionName);
    parts.apply(functionName, { current, traffic: null });
    return { ended: true, current, warnings };
  }

  return {
    control: {
      rollback: (functionName, number) => parts.change(functionName, () => rollback(functionName, number)),
      traffic: (functionName) => statusOf(stateOf(functionName)),
      async setTraffic(functionName, definition) {
        checkTraffic(definition);
        return parts.change(functionName, () => setTraffic(functionName, definition));
      },
      endTraffic: (functionName) => parts.change(functionName, () => endTraffic(functionName)),
    },
    loading: {
      async load() {
        for (const split of await store.trafficSplits()) {
          const state = stateOf(split.functionName);
          const versions = await Promise.all(numbersOf(split.weights).map((number) => find(state, number)));
          put(
            split.functionName,
            split,
            versions.filter((version) => version !== undefined),
          );
        }
      },
      merge,
      enforce,
    },
  };
}
