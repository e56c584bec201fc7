import type { SeriesStep } from '../../schemas/series.ts';
import type { Database } from './database.ts';
import type { BlockingStore } from './requests.ts';

export type SeriesOperations = Pick<BlockingStore, 'series' | 'putSeries' | 'pruneSeries'>;

const MAX_ROWS = 2000;

/** Written behind, a minute at a time: durability `normal`. */
export function seriesOperations(db: Database): SeriesOperations {
  return {
    series: ({ after, limit }) =>
      db
        .statement(
          'SELECT step_ms AS stepMs, step, function_name AS functionName, counts FROM series WHERE (step_ms, step, function_name) > (?, ?, ?) ' +
            'ORDER BY step_ms, step, function_name LIMIT ?',
        )
        .all(after?.stepMs ?? -1, after?.step ?? -1, after?.functionName ?? '', Math.min(limit, MAX_ROWS))
        .map((row) => ({ ...row }) as unknown as SeriesStep),

    putSeries: (steps) =>
      db.transaction('normal', () => {
        const statement = db.statement(
          'INSERT INTO series (step_ms, step, function_name, counts) SELECT ?1, ?2, ?3, ?4 ' +
            "WHERE ?3 = '' OR EXISTS (SELECT 1 FROM functions WHERE name = ?3) " +
            'ON CONFLICT (step_ms, step, function_name) DO UPDATE SET counts = excluded.counts',
        );
        for (const { stepMs, step, functionName, counts } of steps) statement.run(stepMs, step, functionName, counts);
      }),

    pruneSeries: (stepMs, before) =>
      db.transaction('normal', () => Number(db.statement('DELETE FROM series WHERE step_ms = ? AND step < ?').run(stepMs, before).changes)),
  };
}
