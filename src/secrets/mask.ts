/** Shorter values occur by chance. Characters. */
const MIN_LENGTH = 8;

export type Mask = (text: string) => string;

/** Replaces these values by `***` wherever they stand as they are; undefined when none is long enough to be looked for. */
export function createMask(values: Iterable<string>): Mask | undefined {
  // The longest first: one may be part of another.
  const wanted = [...new Set(values)].filter((value) => value.length >= MIN_LENGTH).sort((a, b) => b.length - a.length);
  if (wanted.length === 0) return undefined;
  return (text) => wanted.reduce((masked, value) => masked.replaceAll(value, '***'), text);
}
