import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checksum, MIGRATIONS, type Migration, migrate } from '../../../src/store/sqlite/migrations.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open-sqlite-store.ts';
import { silent, temporaryFolder } from './temporary-store.ts';

describe('migrations of the SQLite store', () => {
  let folder: string;
  let file: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    file = join(folder, 'hearth.db');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  function inDatabase<T>(work: (db: DatabaseSync) => T): T {
    const db = new DatabaseSync(file);
    try {
      return work(db);
    } finally {
      db.close();
    }
  }

  const extra: Migration = { number: MIGRATIONS.length + 1, name: 'extra', sql: 'ALTER TABLE functions ADD COLUMN note TEXT' };

  it('numbers its steps from 1 without gaps', () => {
    expect(MIGRATIONS.map(({ number }) => number)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  });

  it('never edits a released step', () => {
    // A new step adds a line here; an old line never changes.
    expect(MIGRATIONS.map(checksum)).toEqual([
      '86695bebaa31f9e86b8237c7fd39020c910fa059d39cb9388b7a6b34614b02f2',
      '4544be918e73807e39539a763bbdd519a73529f51d3efa45c5211164983d2c6e',
      '93f9e8f04ed4f535b4ea0a4815a6e9587ba87cd6d6251452db53679e567f9715',
      '196eab04e0d463a3f7d1910ee10126757b44cd3dd4f5488960769b195e7828d2',
      '5f71d570ff6d519624b38a7c8ac6b98306c81f19f36a6807041be229c361c9d1',
      '2603f239c4c85a54b9f38dcb0ba3356cd9569f9955412d95c2eebf28be42c04e',
      'e3308f0829ac27801f1945df552501fd3b2d5440f3b6733bd4cdc0cf54f8f588',
      'f8378b50665d16918d31c284433c86e9633cfc679044dba84369fe54b68b7015',
      '3044cff232616d45ec735131e3caceef99cc36a5362dc894687054577b940179',
      'b3831d6d16af1d1efe4c62782e9a47def890f82de33d05b57e484ec643a6e605',
      '4ec42d9fb6470b28e09711506ed76befc0bbeb5647ad8e44714d6d0a1766a433',
      '8c33574676a77cfe4e8190996c83856fbb0f7b78c8de64694f37f3410b4561df',
      '023c0418ec63fd6838fd3bac67bc9c4dd35b95f7209e6696974e26761f123a84',
      'e8f7f6f968602299e85a4e2d49b1d5104e5ff8bc0772ac578794143177591ce2',
      '472e9983b27f4a170ab145c8bd1cb3e4999910771549a8ff1f2f24f4485ae814',
      'eb82ca90db4d90a0b91f7425406152e518d4a640c882ae647f225a6fdc6fbafe',
      'ef78483d3ac0f8e241dc95577890ab138d5e027335b3a6c68f120c40d0541f08',
    ]);
  });

  it('brings a database of the first schema up to date with its data', async () => {
    inDatabase((db) => {
      migrate(db, MIGRATIONS.slice(0, 1), file, 1);
      db.exec(`
        INSERT INTO code_blobs VALUES ('c', CAST('print(1)' AS BLOB));
        INSERT INTO function_versions VALUES ('echo', 1, 'h', 'http|GET|/', 'python', 'script', 'c', 60000, 'egress', '["l"]', NULL, '{"A":"b"}', 8, 1000, 256, 7);
        INSERT INTO functions VALUES ('echo', 1);
      `);
    });
    const store = await openSqliteStore({ file, log: silent });
    try {
      expect(await store.currentVersions()).toMatchObject([
        { functionName: 'echo', number: 1, code: 'print(1)', layers: ['l'], environment: { A: 'b' } },
      ]);
    } finally {
      await store.close();
    }
  });

  it('applies each step once', () => {
    inDatabase((db) => {
      expect(migrate(db, MIGRATIONS, file, 1)).toEqual(MIGRATIONS.map(({ number }) => number));
      expect(migrate(db, MIGRATIONS, file, 2)).toEqual([]);
      expect(migrate(db, [...MIGRATIONS, extra], file, 3)).toEqual([extra.number]);
    });
  });

  it('leaves the database at the step before one that fails', () => {
    const failing: Migration = { number: extra.number, name: 'failing', sql: 'ALTER TABLE functions ADD COLUMN half TEXT; SELECT nonsense' };
    inDatabase((db) => {
      expect(() => migrate(db, [...MIGRATIONS, failing], file, 1)).toThrow(/nonsense/);
      expect(
        db
          .prepare('SELECT name FROM pragma_table_info(?)')
          .all('functions')
          .map((row) => row.name),
      ).not.toContain('half');
      expect(migrate(db, [...MIGRATIONS, extra], file, 2)).toEqual([extra.number]);
    });
  });

  it('refuses a database of a newer platform and does not touch it', async () => {
    inDatabase((db) => migrate(db, [...MIGRATIONS, extra], file, 1));
    const before = readFileSync(file);
    await expect(openSqliteStore({ file, log: silent })).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/newer version of Hearth.*"extra".*Nothing was changed/),
    });
    expect(readFileSync(file)).toEqual(before);
  });

  it('refuses a database whose applied step differs from ours', async () => {
    inDatabase((db) => {
      migrate(db, MIGRATIONS, file, 1);
      db.exec("UPDATE schema_migrations SET checksum = 'other' WHERE number = 1");
    });
    await expect(openSqliteStore({ file, log: silent })).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('"initial"'),
    });
  });
});
