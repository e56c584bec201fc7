import type { Queryable } from '../../postgres/postgres.ts';
import type { SeriesStep } from '../../schemas/series.ts';
import type { Store } from '../store.ts';

type SeriesOperations = Pick<Store, 'series' | 'putSeries' | 'pruneSeries'>;

const MAX_ROWS = 2000;

/** Each node's own. Old ones are deleted whosever they are, since nodes go. */
export function seriesOperations(db: Queryable, node: string): SeriesOperations {
  return {
    async series({ after, limit }) {
      const { rows } = await db.query<SeriesStep>(
        'SELECT step_ms AS "stepMs", step, function_name AS "functionName", counts FROM series ' +
          'WHERE node = $1 AND (step_ms, step, function_name) > ($2::bigint, $3::bigint, $4) ORDER BY step_ms, step, function_name LIMIT $5',
        [node, after?.stepMs ?? -1, after?.step ?? -1, after?.functionName ?? '', Math.min(limit, MAX_ROWS)],
      );
      return rows;
    },

    async putSeries(steps) {
      // A statement may write a row once; the last one counts.
      const rows = [...new Map(steps.map((step) => [`${step.stepMs} ${step.step} ${step.functionName}`, step])).values()];
      await db.query(
        'INSERT INTO series (node, step_ms, step, function_name, counts) SELECT $1, s.step_ms, s.step, s.function_name, s.counts ' +
          'FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[]) AS s (step_ms, step, function_name, counts) ' +
          "WHERE s.function_name = '' OR EXISTS (SELECT 1 FROM functions f WHERE f.name = s.function_name) " +
          'ON CONFLICT (node, step_ms, step, function_name) DO UPDATE SET counts = excluded.counts',
        [
          node,
          rows.map(({ stepMs }) => stepMs),
          rows.map(({ step }) => step),
          rows.map(({ functionName }) => functionName),
          rows.map(({ counts }) => counts),
        ],
      );
    },

    async pruneSeries(stepMs, before) {
      return (await db.query('DELETE FROM series WHERE step_ms = $1 AND step < $2', [stepMs, before])).changes;
    },
  };
}
