import type { Outcome } from './simulate.ts';
import { MB } from './trace.ts';

const GB_S = 1024 * MB * 1000;

export interface Row {
  policy: string;
  outcome: Outcome;
}

/** One budget's policies, the first of which the ratios refer to, and the share of cold starts below which none can get. */
export function table(rows: readonly Row[], leastCold: number): string {
  const base = rows[0]?.outcome as Outcome;
  const lines = rows.map(({ policy, outcome }) => [
    policy,
    percent(outcome.cold / outcome.calls),
    ratio(outcome.cold, base.cold),
    number(outcome.startMs / 1000),
    ratio(outcome.startMs, base.startMs),
    number(outcome.idleByteMs / GB_S),
    ratio(outcome.idleByteMs, base.idleByteMs),
    number(outcome.evicted),
    number(outcome.expired),
    number(outcome.overBudget),
  ]);
  lines.push(['no policy can have fewer than', percent(leastCold / base.calls), ratio(leastCold, base.cold), '', '', '', '', '', '', '']);
  return markdown(
    ['policy', 'cold', '× fixed', 'starts waited for, s', '× fixed', 'idle, GB·s', '× fixed', 'evicted', 'expired', 'starts over budget'],
    lines,
  );
}

function markdown(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  return row(head) + row(head.map((_, index) => (index === 0 ? '---' : '---:'))) + lines.map(row).join('');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

function ratio(value: number, base: number): string {
  return base === 0 ? '–' : (value / base).toFixed(2);
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en');
}
