import { dateAndTime, relative } from './format.ts';

/** An instant, as one reads it; exactly, for whoever points at it. */
export function When({ at }: { at: number | null }) {
  if (at === null) return <>–</>;
  return (
    <time dateTime={new Date(at).toISOString()} title={dateAndTime(at)}>
      {relative(at, Date.now())}
    </time>
  );
}
