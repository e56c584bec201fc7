import type { Options } from './options.ts';

/** One line of a table: a label, and a cell for each of the section's columns. */
export interface Row {
  label: string;
  cells: readonly (number | string | null)[];
}

/** One table of the report. */
export interface Section {
  title: string;
  /** What was measured and how: isolation, load, counts, what makes the comparison fair or unfair. */
  notes: readonly string[];
  /** Heads of the columns after the label, with their units. */
  columns: readonly string[];
  rows: readonly Row[];
  /** Everything measured, for --json. */
  raw: unknown;
}

/** What a case gets. */
export interface Bench {
  options: Options;
  /** Says what is going on, to standard error. */
  say(text: string): void;
}

/** A group of measurements that share a set-up. To add one: a file in cases/, and its line in run.ts. */
export interface Case {
  name: string;
  summary: string;
  run(bench: Bench): Promise<Section[]>;
}
