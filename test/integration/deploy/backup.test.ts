import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packBackup } from '../../../src/backup/backup-file.ts';
import { Hearth, json, until } from '../../support/hearth.ts';
import { hearthCommand } from '../../support/hearth-command.ts';

const ECHO = 'def handler(message, context):\n    return {"got": message["body"], "secret": context.secrets["PASSWORD"]}\n';
const STEP = 'def handler(message, context):\n    return {"step": message["body"]}\n';

const BUNDLE = `${'0a'.repeat(32)}.bundle`;

describe('a backup', () => {
  let folder: string;
  let file: string;
  let withKey: string;
  let steps: string[];
  /** Accepted before the backup began, due in an hour. */
  let waiting: string;
  let answered: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-backup-'));
    file = join(folder, 'without-key.tar.gz');
    withKey = join(folder, 'with-key.tar.gz');
    await using hearth = await Hearth.start();
    const put = await fetch(`${hearth.api}/secrets/PASSWORD`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ value: 'correct horse battery staple' }),
    });
    expect(put.status).toBe(200);
    await hearth.define('echo', ECHO, { secrets: ['PASSWORD'] } as never);
    await hearth.define('step', STEP);
    await hearth.register({ event_type: 'cron|0 4 * * *', function_name: 'nightly', function_code: STEP } as never);
    waiting = await accept(hearth, 'later', { 'X-Hearth-Delay': '1h' });
    const first = await hearth.call('/echo', { method: 'POST', body: '"first"' });
    answered = (await hearth.record(first)).id;

    // As the platform keeps functions that came as archives: a file named by its content.
    await mkdir(join(hearth.dataFolder, 'bundles'), { recursive: true, mode: 0o700 });
    await writeFile(join(hearth.dataFolder, 'bundles', BUNDLE), 'an archive', { mode: 0o600 });

    // Requests and asynchronous work while it is made.
    let loading = true;
    steps = [];
    const statuses: number[] = [];
    const load = [
      (async () => {
        while (loading) statuses.push((await hearth.call('/echo', { method: 'POST', body: '1' })).status);
      })(),
      (async () => {
        while (loading) steps.push(await accept(hearth, steps.length));
      })(),
    ];
    await until(() => steps.length > 50 && statuses.length > 50);
    try {
      for (const args of [[file], [withKey, '--with-key']]) {
        const { code, stdout, stderr } = await hearthCommand(['backup', ...args, '--api', hearth.api]);
        expect(stderr).toBe('');
        expect(stdout).toContain('read back and checked');
        expect(code).toBe(0);
      }
    } finally {
      loading = false;
      await Promise.all(load);
    }
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(await readdir(hearth.dataFolder)).not.toContain('backup.partial');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function accept(hearth: Hearth, body: unknown, headers: Record<string, string> = {}): Promise<string> {
    const response = await hearth.call('/step', {
      method: 'POST',
      headers: { Prefer: 'respond-async', 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(202);
    return (response.headers.get('location') as string).split('/').at(-1) as string;
  }

  const restore = (backup: string, data: string, settings: Record<string, string> = {}) =>
    hearthCommand(['restore', backup], { HEARTH_DATA_DIR: data, ...settings });

  it('is readable by its owner only, and never written over another file', async () => {
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const before = await readFile(file);
    const { code, stderr } = await hearthCommand(['backup', file, '--api', 'http://127.0.0.1:9']);
    expect([code, stderr]).toEqual([1, `hearth: ${file} is there already, and is not overwritten.\n`]);
    expect(await readFile(file)).toEqual(before);
  });

  it('made under load is restored elsewhere: functions answer, and records, secrets, schedules and what was queued are there', async () => {
    const data = join(folder, 'elsewhere');
    expect(await restore(withKey, data)).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(join(data, 'bundles', BUNDLE), 'utf8')).toBe('an archive');
    await using hearth = await Hearth.start({ dataFolder: data });
    const response = await hearth.call('/echo', { method: 'POST', body: '"again"', headers: { 'Content-Type': 'application/json' } });
    expect(await json(response)).toEqual({ got: 'again', secret: 'correct horse battery staple' });
    expect(await hearth.get(`/invocations/${answered}`)).toMatchObject({ state: 'succeeded', function_name: 'echo' });
    expect(await hearth.get('/schedules/nightly')).toMatchObject({ function_name: 'nightly' });
    expect(await hearth.get(`/invocations/${waiting}`)).toMatchObject({ state: 'queued' });
    // Whatever was accepted before the first backup began has its end here: it had it then, or it runs now.
    for (const id of steps.slice(0, 50)) {
      const record = await until(async () => {
        const found = (await hearth.get(`/invocations/${id}`)) as { state: string };
        return found.state === 'succeeded' && found;
      });
      expect(record).toMatchObject({ function_name: 'step' });
    }
  });

  it('holds no key of the secrets unless it is asked for', async () => {
    const data = join(folder, 'keyless');
    const { code, stdout } = await restore(file, data);
    expect(code).toBe(0);
    expect(stdout).toContain("the secrets' key is not in it");
    expect((await readdir(data)).sort()).toEqual(['bundles', 'hearth.db', 'hearth.lock', 'queue.db']);
    const { code: started, stderr } = await hearthCommand(['up'], { HEARTH_DATA_DIR: data, HEARTH_GATEWAY_PORT: '0', HEARTH_API_PORT: '0' });
    expect(started).toBe(1);
    expect(stderr).toContain('The key of the secrets');
  });

  it('is not put into a folder that holds something, or that a platform works in', async () => {
    const data = join(folder, 'taken');
    await mkdir(data);
    await writeFile(join(data, 'precious'), 'yes');
    expect(await restore(file, data)).toMatchObject({ code: 1, stderr: expect.stringContaining('is not empty (precious)') });
    expect(await readFile(join(data, 'precious'), 'utf8')).toBe('yes');
    await rm(join(data, 'precious'));

    const lock = new DatabaseSync(join(data, 'hearth.lock'));
    lock.exec('BEGIN EXCLUSIVE');
    expect(await restore(file, data)).toMatchObject({ code: 1, stderr: expect.stringContaining('is in use by another platform') });
    lock.close();
  });

  it.each([
    ['cut short', (copy: string) => stat(copy).then(({ size }) => truncate(copy, size - 200))],
    ['changed in the middle', (copy: string) => flip(copy)],
    ['no backup', (copy: string) => writeFile(copy, 'something else')],
    ['made to write beside the folder', (copy: string) => writeEntry(copy, { name: 'bundles/../../evil', type: 'file' })],
    ['made to write through a link', (copy: string) => writeEntry(copy, { name: 'hearth.db', type: 'symlink', linkname: '/etc/passwd' })],
  ])('that was %s is refused, and leaves nothing behind', async (_, damage) => {
    const copy = join(folder, `damaged-${Math.random()}`);
    await writeFile(copy, await readFile(file));
    await damage(copy);
    const data = join(folder, `target-${Math.random()}`);
    expect(await restore(copy, data)).toMatchObject({ code: 1, stderr: expect.stringContaining("The backup can't be used") });
    expect(await readdir(data)).toEqual(['hearth.lock']);
  });

  it('is found good by --check, unless it is damaged', async () => {
    expect(await hearthCommand(['restore', '--check', file])).toMatchObject({ code: 0, stdout: expect.stringContaining('whole and undamaged') });
    const copy = join(folder, 'damaged');
    await writeFile(copy, await readFile(file));
    await flip(copy);
    expect(await hearthCommand(['restore', '--check', copy])).toMatchObject({ code: 1 });
  });

  it.each(['hearth.db', 'queue.db'])('%s of a newer version is left alone by this one', async (name) => {
    const data = join(folder, `newer-${name}`);
    expect(await restore(withKey, data)).toMatchObject({ code: 0 });
    const db = new DatabaseSync(join(data, name));
    db.exec("INSERT INTO schema_migrations VALUES (9999, 'of the future', 'x', 0)");
    db.close();
    const before = await readFile(join(data, name));
    const { code, stderr } = await hearthCommand(['up'], { HEARTH_DATA_DIR: data, HEARTH_GATEWAY_PORT: '0', HEARTH_API_PORT: '0' });
    expect(code).toBe(1);
    expect(stderr).toContain('was written by a newer version of Hearth: it has schema step 9999 ("of the future")');
    expect(await readFile(join(data, name))).toEqual(before);

    const newer = join(folder, `${name}.tar.gz`);
    const about = { hearth: '99.0.0', created_at: new Date().toISOString(), secrets_key: 'left_out' as const };
    await pipeline(
      packBackup(
        ['queue.db', 'hearth.db'].map((file) => ({ name: file, path: join(data, file) })),
        about,
        () => undefined,
      ),
      createWriteStream(newer),
    );
    expect(await restore(newer, join(folder, `target-${name}`))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('a newer version of Hearth'),
    });
  });
});

/** A tar of one entry, as an attacker would begin it. */
async function writeEntry(file: string, header: Partial<Header> & { name: string }): Promise<void> {
  const tar = pack();
  tar.entry(header, header.type === 'file' ? 'evil' : '');
  tar.finalize();
  await pipeline(tar, createGzip(), createWriteStream(file));
}

/** Turns a byte of the compressed data around. */
async function flip(file: string): Promise<void> {
  const bytes = await readFile(file);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] as number) ^ 0xff;
  await writeFile(file, bytes);
}
