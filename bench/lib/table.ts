import type { Section } from './case.ts';

/** A section as Markdown. */
export function markdown(section: Section): string {
  const lines = [`### ${section.title}`, ''];
  for (const note of section.notes) lines.push(`- ${note}`);
  lines.push('', row(['', ...section.columns]), row(['---', ...section.columns.map(() => '---:')]));
  for (const { label, cells } of section.rows) lines.push(row([label, ...cells.map(cell)]));
  return `${lines.join('\n')}\n`;
}

/** `4.2 ×`; an em dash when either is missing. */
export function ratio(value: number | null, baseline: number | null): string {
  return value === null || baseline === null || baseline === 0 ? '—' : `${number(value / baseline)} ×`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function cell(value: number | string | null): string {
  return typeof value === 'number' ? number(value) : (value ?? '—');
}

/** Three significant digits, and all digits before the point. */
function number(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toPrecision(3);
}
