import { createHash } from 'node:crypto';
import type { FunctionVersion } from '../../schemas/function.ts';
import { splitFromRow } from '../rows/registry.ts';
import { CommonTexts, VERSION_SELECT, versionFromRow, versionValues } from '../rows/versions.ts';
import type { Database } from './database.ts';
import type { BlockingStore } from './requests.ts';
import { type Row, VERSION_INSERT } from './rows.ts';

export type FunctionOperations = Pick<
  BlockingStore,
  'currentVersions' | 'functionState' | 'putVersion' | 'versions' | 'version' | 'makeCurrent' | 'namedBundles' | 'deleteFunction'
>;

const CURRENT = `${VERSION_SELECT} JOIN functions f ON f.name = v.function_name AND f.current_number = v.number`;

/** The registry's tables. Every write is on the disk before it is acknowledged. */
export function functionOperations(db: Database): FunctionOperations {
  const common = new CommonTexts();
  const read = (row: Row) => versionFromRow(row, common);
  return {
    currentVersions: (page) =>
      db
        .statement(`${CURRENT} WHERE f.name > ? ORDER BY f.name LIMIT ?`)
        .all(page?.after ?? '', page?.limit ?? -1)
        .map(read),

    functionState: (functionName) => {
      // Nobody else writes while this thread reads.
      const current = db.statement(`${CURRENT} WHERE f.name = ?`).get(functionName);
      if (current === undefined) return undefined;
      const split = db.statement('SELECT * FROM traffic_splits WHERE function_name = ?').get(functionName);
      return { current: read(current), split: split === undefined ? null : splitFromRow(split) };
    },

    putVersion: (draft) =>
      db.transaction('full', () => {
        const current = db.statement(`${CURRENT} WHERE f.name = ?`).get(draft.functionName);
        if (current !== undefined && current.hash === draft.hash) return { version: read(current), created: false };

        const last = db.statement('SELECT max(number) AS number FROM function_versions WHERE function_name = ?').get(draft.functionName);
        const version: FunctionVersion = { ...draft, number: Number(last?.number ?? 0) + 1, createdAt: Date.now() };
        const code = Buffer.from(version.code, 'utf8');
        const codeHash = createHash('sha256').update(code).digest('hex');
        db.statement('INSERT INTO code_blobs (hash, code) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING').run(codeHash, code);
        db.statement(VERSION_INSERT).run(...versionValues(version, codeHash));
        db.statement(
          'INSERT INTO functions (name, current_number) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET current_number = excluded.current_number',
        ).run(version.functionName, version.number);
        return { version, created: true };
      }),

    versions: (functionName) => db.statement(`${VERSION_SELECT} WHERE v.function_name = ? ORDER BY v.number DESC`).all(functionName).map(read),

    version: (functionName, number) => {
      const row = db.statement(`${VERSION_SELECT} WHERE v.function_name = ? AND v.number = ?`).get(functionName, number);
      return row === undefined ? undefined : read(row);
    },

    makeCurrent: (functionName, number) =>
      db.transaction('full', () => {
        const row = db.statement(`${VERSION_SELECT} WHERE v.function_name = ? AND v.number = ?`).get(functionName, number);
        if (row === undefined) return undefined;
        if (db.statement('UPDATE functions SET current_number = ? WHERE name = ?').run(number, functionName).changes === 0) return undefined;
        db.statement('DELETE FROM traffic_splits WHERE function_name = ?').run(functionName);
        return read(row);
      }),

    namedBundles: () =>
      db
        .statement("SELECT DISTINCT json_extract(bundle, '$.hash') AS hash FROM function_versions WHERE bundle IS NOT NULL")
        .all()
        .map(({ hash }) => hash as string),

    deleteFunction: (functionName) =>
      db.transaction('full', () => {
        db.statement('DELETE FROM series WHERE function_name = ?').run(functionName);
        return db.statement('DELETE FROM functions WHERE name = ?').run(functionName).changes === 1;
      }),
  };
}
