import { usage } from './cli-error.ts';

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3600_000, d: 24 * 3600_000, w: 7 * 24 * 3600_000, y: 365 * 24 * 3600_000 };

/** `never`, a time from now on (90m, 12h, 30d, 4w, 1y), or a date. @returns milliseconds since the epoch; null: never @throws CliError that names the option */
export function instantOf(text: string, now: number, option = '--expires'): number | null {
  if (text === 'never') return null;
  const [, count, unit] = /^(\d{1,6})([mhdwy])$/.exec(text) ?? [];
  const instant = count === undefined ? Date.parse(text) : now + Number(count) * (UNITS[unit as string] as number);
  if (Number.isNaN(instant)) {
    throw usage(`${option} ${text} is neither never, nor a time from now like 90m, 12h, 30d or 1y, nor a date like 2027-01-31.`);
  }
  return instant;
}

/** A time back from now (30s, 10m, 12h, 7d, 4w), or a date or moment. @param option that it is of @returns milliseconds since the epoch */
export function instantBefore(option: string, text: string, now: number): number {
  const [, count, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const unitMs = unit === 's' ? 1000 : (UNITS[unit ?? ''] ?? 0);
  const instant = count === undefined ? Date.parse(text) : now - Number(count) * unitMs;
  if (Number.isNaN(instant)) {
    throw usage(`${option} ${text} is neither a time back from now like 30s, 10m, 12h or 7d, nor a moment like 2027-01-31T08:00.`);
  }
  return instant;
}

export function time(instant: number): string {
  return new Date(instant).toISOString().replace(/\.\d+Z$/, 'Z');
}
