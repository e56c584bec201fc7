import { createHash } from 'node:crypto';
import type { Queryable } from '../../postgres/postgres.ts';
import type { FunctionVersion } from '../../schemas/function.ts';
import { splitFromRow } from '../rows/registry.ts';
import type { Row } from '../rows/row.ts';
import { CommonTexts, VERSION_COLUMNS, VERSION_SELECT, versionFromRow, versionValues } from '../rows/versions.ts';
import type { Store } from '../store.ts';
import type { Registry } from './registry.ts';
import { placeholders } from './sql.ts';

type FunctionOperations = Pick<
  Store,
  'currentVersions' | 'functionState' | 'putVersion' | 'versions' | 'version' | 'makeCurrent' | 'namedBundles' | 'deleteFunction'
>;

const CURRENT = `${VERSION_SELECT} JOIN functions f ON f.name = v.function_name AND f.current_number = v.number`;
const ONE = `${VERSION_SELECT} WHERE v.function_name = $1 AND v.number = $2`;
const INSERT = `INSERT INTO function_versions (${VERSION_COLUMNS.join(', ')}) VALUES (${placeholders(VERSION_COLUMNS.length)})`;

export function functionOperations(db: Queryable, registry: Registry): FunctionOperations {
  const read = (rows: readonly Row[]) => {
    const common = new CommonTexts();
    return rows.map((row) => versionFromRow(row, common));
  };

  async function one(tx: Queryable, functionName: string, number: number): Promise<FunctionVersion | undefined> {
    return read((await tx.query(ONE, [functionName, number])).rows)[0];
  }

  return {
    async currentVersions(page) {
      const { rows } = await db.query(`${CURRENT} WHERE f.name > $1 ORDER BY f.name LIMIT $2`, [page?.after ?? '', page?.limit ?? null]);
      return read(rows);
    },

    functionState: (functionName) =>
      registry.read(async (tx) => {
        const [current] = read((await tx.query(`${CURRENT} WHERE f.name = $1`, [functionName])).rows);
        if (current === undefined) return undefined;
        const { rows } = await tx.query('SELECT * FROM traffic_splits WHERE function_name = $1', [functionName]);
        return { current, split: rows[0] === undefined ? null : splitFromRow(rows[0]) };
      }),

    putVersion: (draft) =>
      registry.change(async (tx, changed) => {
        const [current] = read((await tx.query(`${CURRENT} WHERE f.name = $1`, [draft.functionName])).rows);
        if (current?.hash === draft.hash) return { version: current, created: false };

        const { rows } = await tx.query<{ number: number | null }>('SELECT max(number) AS number FROM function_versions WHERE function_name = $1', [
          draft.functionName,
        ]);
        const version: FunctionVersion = { ...draft, number: (rows[0]?.number ?? 0) + 1, createdAt: Date.now() };
        const code = Buffer.from(version.code, 'utf8');
        const codeHash = createHash('sha256').update(code).digest('hex');
        await tx.query('INSERT INTO code_blobs (hash, code) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING', [codeHash, code]);
        await tx.query(INSERT, versionValues(version, codeHash));
        await tx.query(
          'INSERT INTO functions (name, current_number) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET current_number = excluded.current_number',
          [version.functionName, version.number],
        );
        changed('function', version.functionName);
        return { version, created: true };
      }),

    async versions(functionName) {
      return read((await db.query(`${VERSION_SELECT} WHERE v.function_name = $1 ORDER BY v.number DESC`, [functionName])).rows);
    },

    version: (functionName, number) => one(db, functionName, number),

    makeCurrent: (functionName, number) =>
      registry.change(async (tx, changed) => {
        const version = await one(tx, functionName, number);
        if (version === undefined) return undefined;
        const { changes } = await tx.query('UPDATE functions SET current_number = $2 WHERE name = $1', [functionName, number]);
        if (changes === 0) return undefined;
        await tx.query('DELETE FROM traffic_splits WHERE function_name = $1', [functionName]);
        changed('function', functionName);
        return version;
      }),

    async namedBundles() {
      const { rows } = await db.query<{ hash: string }>(
        "SELECT DISTINCT bundle::json ->> 'hash' AS hash FROM function_versions WHERE bundle IS NOT NULL",
        [],
      );
      return rows.map(({ hash }) => hash);
    },

    deleteFunction: (functionName) =>
      registry.change(async (tx, changed) => {
        await tx.query('DELETE FROM series WHERE function_name = $1', [functionName]);
        const { changes } = await tx.query('DELETE FROM functions WHERE name = $1', [functionName]);
        if (changes === 1) changed('function', functionName);
        return changes === 1;
      }),
  };
}
