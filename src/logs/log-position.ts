/** Where something stands in the log: the number of a segment and a byte of it. Later ones are greater, across restarts too. */
export interface LogPosition {
  readonly segment: number;
  readonly offset: number;
}

export function formatPosition({ segment, offset }: LogPosition): string {
  return `${segment}.${offset}`;
}

/** Undefined for what `formatPosition` didn't make. */
export function parsePosition(text: string): LogPosition | undefined {
  const [, segment, offset] = /^(\d{1,15})\.(\d{1,12})$/.exec(text) ?? [];
  return segment === undefined ? undefined : { segment: Number(segment), offset: Number(offset) };
}

export function isBefore(one: LogPosition, other: LogPosition): boolean {
  return one.segment < other.segment || (one.segment === other.segment && one.offset < other.offset);
}
