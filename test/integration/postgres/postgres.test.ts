import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { migratePostgres } from '../../../src/postgres/migrate-postgres.ts';
import { openPostgres } from '../../../src/postgres/open-postgres.ts';
import type { PostgresDatabase } from '../../../src/postgres/postgres.ts';
import { until } from '../../support/hearth.ts';
import { Postgres } from '../../support/postgres.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';

const SECRET = 'hunter2';

describe('PostgreSQL', () => {
  let server: Postgres;
  let url: string;
  const said: unknown[] = [];
  const log = { info: (...line: unknown[]) => void said.push(line), warn: (...line: unknown[]) => void said.push(line) };
  const opened: PostgresDatabase[] = [];

  function open(at = url, maxConnections = 4): PostgresDatabase {
    const db = openPostgres({ url: at.replace('postgres@', `postgres:${SECRET}@`), maxConnections, log });
    opened.push(db);
    return db;
  }

  beforeAll(async () => {
    server = await Postgres.start();
    url = await server.createDatabase();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((db) => db.close()));
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('takes and gives back values as they are', async () => {
    const db = open();
    const values = ['a\0b\u{10FFFE}0 🐈', 2 ** 53 - 1, 0.1, null, Buffer.from([0, 255]), ['x\0', 'y"\\', null]];
    const { rows } = await db.query('SELECT $1::text AS a, $2::bigint AS b, $3::float8 AS c, $4::text AS d, $5::bytea AS e, $6::text[] AS f', values);
    expect(Object.values(rows[0] ?? {})).toEqual(values);
    expect(await db.query('SELECT sum(n) AS n FROM (VALUES (1::bigint), (2)) AS t (n)', [])).toMatchObject({ rows: [{ n: 3 }], changes: 1 });
  });

  it('bounds what a statement, a forgotten transaction and a silent network may take', async () => {
    const { rows } = await open().query<{ name: string; setting: string }>(
      "SELECT name, setting FROM pg_settings WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'tcp_user_timeout', 'search_path') ORDER BY name",
      [],
    );
    expect(rows.map(({ setting }) => setting)).toEqual(['10000', 'hearth', '8000', '9000']);
  });

  it('keeps all of a transaction or nothing, and runs one again that met another', async () => {
    const db = open();
    await db.query(
      'CREATE SCHEMA IF NOT EXISTS hearth; CREATE TABLE counters (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO counters VALUES (1, 0), (2, 0)',
    );
    const broken = db.transaction(async (tx) => {
      await tx.query('UPDATE counters SET n = 7 WHERE id = $1', [1]);
      throw new Error('changed my mind');
    });
    await expect(broken).rejects.toThrow(/^changed my mind$/);
    // In opposite order each: without running one again, PostgreSQL would end it with a deadlock.
    const both = (ids: readonly number[]) =>
      db.transaction(async (tx) => {
        for (const id of ids) await tx.query('UPDATE counters SET n = n + 1 WHERE id = $1', [id]);
      });
    await Promise.all([both([1, 2]), both([2, 1])]);
    expect((await db.query('SELECT n FROM counters ORDER BY id', [])).rows).toEqual([{ n: 2 }, { n: 2 }]);
    await expect(db.query('INSERT INTO counters VALUES ($1, $2)', [1, 1])).rejects.toMatchObject({ code: 'internal' });
    // What is prepared for the old table is prepared again.
    expect((await db.query('SELECT * FROM counters WHERE id = $1', [1])).rows).toEqual([{ id: 1, n: 2 }]);
    await db.query('ALTER TABLE counters ADD COLUMN name TEXT');
    expect((await db.query('SELECT * FROM counters WHERE id = $1', [1])).rows).toEqual([{ id: 1, n: 2, name: null }]);
  });

  it('migrates once when several start at the same time, and refuses what it does not know', async () => {
    const at = await server.createDatabase();
    const nodes = [open(at), open(at), open(at)];
    const steps = [{ number: 1, name: 'initial', sql: 'CREATE TABLE things (id TEXT PRIMARY KEY)' }];
    await Promise.all(nodes.map((db) => migratePostgres(db, 'things', steps)));
    const [db] = nodes as [PostgresDatabase];
    await migratePostgres(db, 'things', [...steps, { number: 2, name: 'more', sql: 'ALTER TABLE things ADD COLUMN n INTEGER' }]);
    await expect(migratePostgres(db, 'things', steps)).rejects.toThrow('newer version of Hearth');
    await expect(migratePostgres(db, 'things', [{ ...(steps[0] as (typeof steps)[0]), sql: 'SELECT 1' }])).rejects.toThrow('is not the one');
    await migratePostgres(db, 'others', [{ number: 1, name: 'initial', sql: 'CREATE TABLE others (id TEXT PRIMARY KEY)' }]);
    expect((await db.query('SELECT id, n FROM things', [])).rows).toEqual([]);
  });

  it('hears NOTIFY, and holds a lock until its session is gone', async () => {
    const db = open();
    const [one, two] = [await db.connect(() => undefined), await db.connect(() => undefined)];
    const heard: string[] = [];
    await one.listen('news', (payload) => heard.push(payload));
    await db.query("SELECT pg_notify('news', $1)", ['first']);
    expect(await one.tryLock('leader')).toBe(true);
    expect(await two.tryLock('leader')).toBe(false);
    await one.unlock('leader');
    expect(await two.tryLock('leader')).toBe(true);
    await two.close();
    await until(() => one.tryLock('leader'));
    expect(heard).toEqual(['first']);
    await one.close();
    await expect(one.query('SELECT 1')).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  it('says what is wrong and never the password', async () => {
    await expect(open(server.urlOf('nowhere')).query('SELECT 1')).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('There is no database 127.0.0.1'),
    });
    await expect(open('postgres://postgres@127.0.0.1:1/x').query('SELECT 1')).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/127\.0\.0\.1:1\/x can not be reached \(.*ECONNREFUSED.*start it/),
    });
    const db = open();
    await db.close();
    await expect(db.query('SELECT 1')).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('shutting down') });
  });

  it('encrypts and trusts as sslmode says', async () => {
    const certificate = await server.takeTls();
    const encrypted = async (host: string, parameters: string) => {
      const db = open(`${url.replace('127.0.0.1', host)}?${parameters}`, 1);
      return (await db.query<{ ssl: boolean }>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).rows[0]?.ssl;
    };
    await until(() => encrypted('127.0.0.1', 'sslmode=require').catch(() => false));
    expect(await encrypted('127.0.0.1', 'sslmode=disable')).toBe(false);
    await expect(encrypted('127.0.0.1', 'sslmode=verify-full')).rejects.toThrow('self-signed certificate');
    const root = `sslrootcert=${encodeURIComponent(certificate)}`;
    expect(await encrypted('127.0.0.1', `sslmode=verify-full&${root}`)).toBe(true);
    await expect(encrypted('localhost', `sslmode=verify-full&${root}`)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await encrypted('localhost', `sslmode=verify-ca&${root}`)).toBe(true);
    expect(() => open(`${url}?sslmode=require&sslrootcert=/nowhere`)).toThrow("sslrootcert in database.url names a file that can't be read");
  });

  it('goes on after PostgreSQL was killed and started again, and tells of lost sessions', async () => {
    const db = open();
    let lost: Error | undefined;
    const session = await db.connect((reason) => {
      lost = reason;
    });
    await Promise.all([db.query('SELECT pg_sleep($1)', [0.01]), db.query('SELECT 1')]);
    const during = db.query('SELECT pg_sleep($1)', [60]).catch((error: unknown) => error);
    await until(
      async () =>
        (await db.query("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()")).changes,
    );
    await server.kill();
    expect(await during).toMatchObject({ code: 'store_unavailable' });
    await until(() => lost);
    await expect(db.query('SELECT 1')).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(db.connect(() => undefined)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(session.query('SELECT 1')).rejects.toMatchObject({ code: 'store_unavailable' });
    await server.restart();
    expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect(JSON.stringify(said)).not.toContain(SECRET);
  });

  it('gives up on a network that swallows everything, and goes on when it is back', async () => {
    await using proxy = await TcpProxy.start(server.port);
    const db = open(url.replace(String(server.port), String(proxy.port)));
    let lost: Error | undefined;
    await db.connect((reason) => {
      lost = reason;
    });
    await db.query('SELECT 1');
    proxy.swallow();
    const [query] = await Promise.allSettled([db.query('SELECT 1'), until(() => lost)]);
    expect(query).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
    expect(lost).toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('no answer for 3 s') });
    proxy.heal();
    expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });
});
