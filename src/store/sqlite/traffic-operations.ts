import { splitFromRow } from '../rows/registry.ts';
import type { Database } from './database.ts';
import type { BlockingStore } from './requests.ts';

export type TrafficOperations = Pick<BlockingStore, 'trafficSplits' | 'putTrafficSplit' | 'deleteTrafficSplit'>;

export function trafficOperations(db: Database): TrafficOperations {
  return {
    trafficSplits: () => db.statement('SELECT * FROM traffic_splits ORDER BY function_name').all().map(splitFromRow),

    putTrafficSplit: (split) =>
      db.transaction('full', () => {
        db.statement(
          'INSERT INTO traffic_splits (function_name, weights, sticky_header, rollback_on, state, rolled_back, created_at) VALUES (?, ?, ?, ?, ?, ?, ?) ' +
            'ON CONFLICT (function_name) DO UPDATE SET weights = excluded.weights, sticky_header = excluded.sticky_header, ' +
            'rollback_on = excluded.rollback_on, state = excluded.state, rolled_back = excluded.rolled_back, created_at = excluded.created_at',
        ).run(
          split.functionName,
          JSON.stringify(split.weights),
          split.stickyHeader,
          split.rollbackOn && JSON.stringify(split.rollbackOn),
          split.state,
          split.rolledBack && JSON.stringify(split.rolledBack),
          split.createdAt,
        );
      }),

    deleteTrafficSplit: (functionName) =>
      db.transaction('full', () => db.statement('DELETE FROM traffic_splits WHERE function_name = ?').run(functionName).changes === 1),
  };
}
