import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStore } from '../../../src/store/sqlite/open-sqlite-store.ts';
import { invocationRecord, versionDraft } from './records.ts';
import { silent, temporaryFolder } from './temporary-store.ts';

const isRoot = process.getuid?.() === 0;

describe('the SQLite store in trouble', () => {
  let folder: string;
  let file: string;
  const mounts: string[] = [];

  beforeEach(async () => {
    folder = await temporaryFolder();
    file = join(folder, 'hearth.db');
  });
  afterEach(async () => {
    for (const mount of mounts.splice(0)) execFileSync('umount', [mount]);
    await rm(folder, { recursive: true, force: true });
  });

  function mountTmpfs(options: string): void {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
    mounts.push(folder);
  }

  it('makes its folder, and its files for its own user only', async () => {
    file = join(folder, 'state', 'deep', 'hearth.db');
    const store = await openSqliteStore({ file, log: silent });
    await store.putVersion(versionDraft());
    for (const suffix of ['', '-wal', '-shm']) expect(statSync(file + suffix).mode & 0o777, suffix).toBe(0o600);
    await store.close();
    expect(existsSync(`${file}-wal`)).toBe(false);
  });

  it('takes rights that others have on the file away', async () => {
    writeFileSync(file, '');
    chmodSync(file, 0o666);
    const store = await openSqliteStore({ file, log: silent });
    await store.close();
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('refuses a file that is no database, naming it, and leaves it alone', async () => {
    const text = 'these are my holiday notes, please keep them. '.repeat(100);
    writeFileSync(file, text);
    await expect(openSqliteStore({ file, log: silent })).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringContaining(file) });
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('refuses the database of another program and leaves it alone', async () => {
    const other = new DatabaseSync(file);
    other.exec('CREATE TABLE recipes (name TEXT)');
    other.close();
    const before = readFileSync(file);
    await expect(openSqliteStore({ file, log: silent })).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('other program'),
    });
    expect(readFileSync(file)).toEqual(before);
  });

  it('says that the file is damaged when pages in its middle are', async () => {
    const store = await openSqliteStore({ file, log: silent });
    for (let index = 0; index < 20; index += 1) await store.putVersion(versionDraft({ hash: `${index}`, code: `${index}`.repeat(5_000) }));
    await store.close();
    const size = statSync(file).size;
    const descriptor = openSync(file, 'r+');
    writeSync(descriptor, Buffer.alloc(size - 4096, 0xa5), 0, size - 4096, 4096);

    const failure = await openSqliteStore({ file, log: silent }).then(
      async (again) => {
        try {
          await again.versions('echo');
          return undefined;
        } catch (error) {
          return error;
        } finally {
          await again.close().catch(() => {});
        }
      },
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 'store_unavailable', message: expect.stringMatching(/damaged.*backup/) });
    expect((failure as Error).message).toContain(file);
  });

  it('says what to do when its folder can not be made', async () => {
    writeFileSync(join(folder, 'occupied'), '');
    file = join(folder, 'occupied', 'hearth.db');
    await expect(openSqliteStore({ file, log: silent })).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringMatching(/occupied\/hearth\.db can not be opened; check/),
    });
  });

  it.skipIf(!isRoot)('says what to do on a read-only file system (needs root, to mount one)', async () => {
    mountTmpfs('ro,size=1m');
    await expect(openSqliteStore({ file, log: silent })).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringContaining(file) });
  });

  it.skipIf(!isRoot)(
    'rejects writes to a full disk, still reads, and goes on when there is room again (needs root, to mount a small disk)',
    async () => {
      mountTmpfs('size=2m');
      const store = await openSqliteStore({ file, log: silent });
      try {
        const { version } = await store.putVersion(versionDraft());
        const ballast = join(folder, 'ballast');
        writeFileSync(ballast, Buffer.alloc(1024 * 1024));
        const big = Array.from({ length: 40 }, (_, index) => invocationRecord({ id: `big ${index}`, logs: 'x'.repeat(50_000) }));
        await expect(store.writeInvocations(big)).rejects.toMatchObject({
          code: 'store_unavailable',
          message: expect.stringMatching(/disk that holds .*hearth\.db is full/),
        });
        expect(await store.currentVersions()).toEqual([version]);
        expect(await store.invocations({ limit: 1 })).toEqual([]);

        await rm(ballast);
        await store.writeInvocations([invocationRecord({ id: 'after' })]);
        expect(await store.invocation('after')).toMatchObject({ id: 'after' });
        expect((await store.putVersion(versionDraft({ hash: 'next' }))).version.number).toBe(2);
      } finally {
        await store.close();
      }
    },
  );

  it('says that another process holds the database when it does', async () => {
    const store = await openSqliteStore({ file, log: silent });
    const other = new DatabaseSync(file);
    try {
      other.exec('BEGIN IMMEDIATE');
      await expect(store.putVersion(versionDraft())).rejects.toMatchObject({
        code: 'store_unavailable',
        message: expect.stringContaining('Another process'),
      });
      other.exec('ROLLBACK');
      expect((await store.putVersion(versionDraft())).created).toBe(true);
    } finally {
      other.close();
      await store.close();
    }
  }, 20_000);
});
