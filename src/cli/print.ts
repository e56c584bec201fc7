import { styleText } from 'node:util';
import { table } from './table.ts';

/** For `--json`: one document on standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** A table, its heading dim on a terminal. */
export function printTable(heading: readonly string[], rows: readonly (readonly string[])[]): void {
  const [first = '', ...rest] = table([heading, ...rows]).split(/(?<=\n)/);
  process.stdout.write(dim(first.trimEnd()) + (first.endsWith('\n') ? '\n' : '') + rest.join(''));
}

/** Colours are for terminals that want them (NO_COLOR, FORCE_COLOR), and Node.js knows which do. */
export function dim(text: string): string {
  return styleText('dim', text, { stream: process.stdout });
}

export function good(text: string): string {
  return styleText('green', text, { stream: process.stdout });
}

export function wrong(text: string): string {
  return styleText('red', text, { stream: process.stdout });
}

/** The level of a line of the log. */
export function ofLevel(level: string): string {
  const colour = level === 'error' || level === 'fatal' ? 'red' : level === 'warn' ? 'yellow' : 'dim';
  return styleText(colour, level.toUpperCase(), { stream: process.stdout });
}

/** Of what goes to standard error. */
export function bad(text: string): string {
  return styleText('red', text, { stream: process.stderr });
}

/** Milliseconds as people read them. */
export function duration(ms: number | null): string {
  if (ms === null) return '-';
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

/** How long ago that was. */
export function ago(instant: number, now: number): string {
  return `${duration(Math.max(1000, now - instant))} ago`;
}
