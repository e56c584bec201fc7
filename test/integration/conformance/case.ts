import type { Probe } from './probe.ts';
import type { Way } from './ways.ts';

/** A row of docs/conformance.md: something that holds for every way, but for those that differ. */
export interface Case<T = unknown> {
  name: string;
  /** Sends requests. @returns what is looked at */
  ask(probe: Probe): Promise<T>;
  /** @throws when it isn't so */
  holds(found: T, probe: Probe): void;
  differs?: readonly Difference<T>[];
}

/** Ways for which something else holds. */
export interface Difference<T> {
  ways: readonly Way[];
  /** What is different and why, for docs/conformance.md. */
  reason: string;
  /** @throws when it isn't so. Missing: there is nothing to ask for */
  holds?(found: T, probe: Probe): void;
}

export interface Chapter {
  title: string;
  /** The columns of its table. */
  ways: readonly Way[];
  cases: readonly Case[];
}

/** Keeps the types of what is asked and what is looked at together. */
export function row<T>(one: Case<T>): Case {
  return one as Case;
}

export function differenceOf<T>({ differs = [] }: Case<T>, way: Way): Difference<T> | undefined {
  return differs.find(({ ways }) => ways.includes(way));
}
