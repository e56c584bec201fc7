import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generateKey } from '../../../src/secrets/cipher.ts';
import type { Secrets } from '../../../src/secrets/secrets.ts';
import { openVault, type VaultParts } from '../../../src/secrets/vault.ts';
import { openTemporaryStore } from '../store/temporary-store.ts';

const rotateForever = fileURLToPath(new URL('./fixtures/rotate-forever.ts', import.meta.url));

describe('the vault of secrets', { timeout: 60_000 }, () => {
  let opened: Awaited<ReturnType<typeof openTemporaryStore>>;
  let folder: string;
  let keyFile: string;
  let changed: string[];
  let logged: string[];

  beforeEach(async () => {
    opened = await openTemporaryStore();
    folder = dirname(opened.file);
    keyFile = join(folder, 'secrets.key');
    changed = [];
    logged = [];
  });
  afterEach(() => opened.destroy());

  async function openWith(keys: Partial<VaultParts['keys']> = {}): Promise<Secrets> {
    return openVault({
      store: await opened.reopen(),
      keys: { file: keyFile, key: '', previousKey: '', ...keys },
      onChanged: (name) => changed.push(name),
      clock: () => 1234,
      log: {
        info: (_fields, message) => logged.push(message),
        error: (fields, message) => logged.push(`${message}: ${(fields as { err: Error }).err.message}`),
      },
    });
  }

  /** Between two lives of the platform. */
  async function inDatabase<T>(work: (db: DatabaseSync) => T): Promise<T> {
    await (await opened.reopen()).close();
    const db = new DatabaseSync(opened.file);
    try {
      return work(db);
    } finally {
      db.close();
    }
  }

  it('keeps values through restarts, counts their versions, and tells of changes only', async () => {
    const vault = await openWith();
    expect(await vault.put('A', 'one')).toEqual({ secret: { name: 'A', version: 1, updatedAt: 1234 }, changed: true });
    expect(await vault.put('A', 'one')).toMatchObject({ secret: { version: 1 }, changed: false });
    expect(await vault.put('A', 'two')).toMatchObject({ secret: { version: 2 }, changed: true });
    await vault.put('B', '');
    expect(changed).toEqual(['A', 'A', 'B']);

    const again = await openWith();
    expect(again.list()).toEqual([
      { name: 'A', version: 2, updatedAt: 1234 },
      { name: 'B', version: 1, updatedAt: 1234 },
    ]);
    expect([again.reveal('A'), again.reveal('B'), again.reveal('C'), again.has('A'), again.has('C')]).toEqual(['two', '', undefined, true, false]);
    expect([await again.remove('A'), await again.remove('A')]).toEqual([true, false]);
    expect((await openWith()).list().map(({ name }) => name)).toEqual(['B']);
    expect(changed).toEqual(['A', 'A', 'B', 'A']);
  });

  it('writes concurrent changes one after another', async () => {
    const vault = await openWith();
    await Promise.all([...Array.from({ length: 20 }, (_, index) => vault.put('A', `value ${index}`)), vault.rotateKey(), vault.put('A', 'last')]);
    expect([vault.reveal('A'), vault.list()[0]?.version]).toEqual(['last', 21]);
    expect((await openWith()).reveal('A')).toBe('last');
  });

  describe('of several nodes', () => {
    const [key, next] = [generateKey(), generateKey()];

    /** On the store as it is open. */
    const openNode = (store: VaultParts['store'], keys: Partial<VaultParts['keys']> = { key }, agree = async () => {}) =>
      openVault({
        store,
        keys: { file: keyFile, key: '', previousKey: '', ...keys },
        sharing: { agree },
        onChanged: (name) => changed.push(name),
        clock: () => 1234,
        log: { info() {}, error() {} },
      });

    it('has what another has set, replaced and deleted, and tells of it once', async () => {
      const [one, other] = [await openNode(opened.store), await openNode(opened.store)];
      await one.put('A', 'one');
      changed = [];
      await other.refresh('A');
      await other.refresh('A');
      expect([other.reveal('A'), changed]).toEqual(['one', ['A']]);
      await one.put('A', 'two');
      // Not what it was told last: what the store has by then.
      expect(await other.put('A', 'one')).toMatchObject({ changed: true, secret: { version: 3 } });
      await one.remove('A');
      await other.refresh('A');
      await other.refresh('B');
      expect([other.has('A'), other.has('B')]).toEqual([false, false]);
    });

    it('goes over to another key node by node, and refuses to by itself', async () => {
      const old = await openNode(opened.store);
      await old.put('A', 'one');
      await expect(old.rotateKey()).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('HEARTH_SECRETS_PREVIOUS_KEY') });
      const renewed = await openNode(opened.store, { key: next, previousKey: key });
      changed = [];
      await old.refresh('A');
      expect([old.reveal('A'), renewed.reveal('A'), changed]).toEqual(['one', 'one', []]);
      await old.put('B', 'by the old key');
      await renewed.refresh('B');
      expect(renewed.reveal('B')).toBe('by the old key');
      await renewed.put('A', 'two');
      await expect(old.refresh('A')).rejects.toMatchObject({ code: 'secret_unreadable', message: expect.stringContaining('Restart this node') });
    });

    it('makes no key by itself, and asks for agreement before it encrypts anything', async () => {
      await expect(openNode(opened.store, {})).rejects.toMatchObject({ code: 'invalid_config' });
      const refused = openNode(opened.store, { key }, async () => Promise.reject(new Error('another key')));
      await expect(refused).rejects.toThrow('another key');
    });
  });

  it.for([
    ['a'.repeat(65_537), /65536 bytes/],
    ['€'.repeat(21_846), /65536 bytes/],
    ['hidden\0part', /NUL/],
    ['hidden\ud800', /lone surrogates/],
  ] as const)('refuses what no environment can hold, without quoting it', async ([value, reason]) => {
    const error = await (await openWith()).put('A', value).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'invalid_request', message: expect.stringMatching(reason) });
    expect(JSON.stringify(error) + (error as Error).message).not.toMatch(/hidden|aaaa|€€/);
  });

  it('makes the key for its user alone, at the first start', async () => {
    await openWith();
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    expect(Buffer.from(await readFile(keyFile, 'utf8'), 'base64')).toHaveLength(32);
    expect((await readdir(folder)).filter((name) => name.startsWith('secrets'))).toEqual(['secrets.key']);
    const before = await readFile(keyFile, 'utf8');
    await openWith();
    expect(await readFile(keyFile, 'utf8')).toBe(before);
  });

  it.for([0o640, 0o604, 0o660, 0o610])('refuses a key that others may use, mode %o', async (mode) => {
    await openWith();
    await chmod(keyFile, mode);
    await expect(openWith()).rejects.toMatchObject({ code: 'invalid_config', message: expect.stringMatching(/secrets\.key.*mode 06.*chmod 600/s) });
    await chmod(keyFile, 0o600);
    await openWith();
  });

  it('refuses another key, no key, and what is none, and changes nothing then', async () => {
    await (await openWith()).put('A', 'one');
    await rename(keyFile, `${keyFile}.kept`);
    await expect(openWith()).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringMatching(/secrets\.key, is not there, and secrets are stored/),
    });
    await writeFile(keyFile, `${generateKey()}\n`, { mode: 0o600 });
    await expect(openWith()).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringMatching(/is not the one that they are encrypted with: A needs the key with the id [0-9a-f]{16}/),
    });
    await writeFile(keyFile, 'garbage', { mode: 0o600 });
    await expect(openWith()).rejects.toMatchObject({ code: 'invalid_config', message: expect.stringMatching(/holds no key/) });
    await expect(openWith({ key: generateKey() })).rejects.toMatchObject({ message: expect.stringMatching(/HEARTH_SECRETS_KEY/) });
    await expect(openWith({ key: 'hunter2' })).rejects.toMatchObject({ message: expect.not.stringMatching(/hunter2/) });
    await rename(`${keyFile}.kept`, keyFile);
    expect((await openWith()).reveal('A')).toBe('one');
  });

  it('takes a key from the environment, and changes it when it is told the previous one', async () => {
    const [first, second] = [generateKey(), generateKey()];
    const vault = await openWith({ key: first });
    await vault.put('A', 'one');
    expect(await readdir(folder)).not.toContain('secrets.key');
    await expect(vault.rotateKey()).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/HEARTH_SECRETS_PREVIOUS_KEY/) });
    await expect(openWith({ key: second })).rejects.toMatchObject({ code: 'invalid_config' });
    expect((await openWith({ key: second, previousKey: first })).reveal('A')).toBe('one');
    expect((await openWith({ key: second })).reveal('A')).toBe('one');
    // From there into a file, and back.
    expect((await openWith({ previousKey: second })).reveal('A')).toBe('one');
    const inFile = (await readFile(keyFile, 'utf8')).trim();
    expect((await openWith({ key: first, previousKey: inFile })).reveal('A')).toBe('one');
  });

  it('refuses what was changed in the database, says so at the start, and takes a new value', async () => {
    const vault = await openWith();
    for (const name of ['A', 'B', 'C']) await vault.put(name, `value of ${name}`);
    await inDatabase((db) => {
      db.exec(
        "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE name = 'B'), nonce = (SELECT nonce FROM secrets WHERE name = 'B') WHERE name = 'A'",
      );
      const { sealed } = db.prepare("SELECT sealed FROM secrets WHERE name = 'B'").get() as { sealed: Uint8Array };
      sealed.set([(sealed[0] as number) ^ 1], 0);
      db.prepare("UPDATE secrets SET sealed = ? WHERE name = 'B'").run(sealed);
    });
    const again = await openWith();
    expect(logged.filter((line) => line.includes('can not be read'))).toHaveLength(2);
    for (const name of ['A', 'B'])
      expect(() => again.reveal(name)).toThrow(expect.objectContaining({ code: 'secret_unreadable', message: expect.stringContaining(name) }));
    expect(again.reveal('C')).toBe('value of C');
    await expect(again.rotateKey()).rejects.toMatchObject({ code: 'secret_unreadable' });
    for (const name of ['A', 'B']) await again.put(name, 'new');
    await again.rotateKey();
    expect((await openWith()).reveal('A')).toBe('new');
  });

  it('encrypts everything anew with a new key, and leaves nothing of what was', async () => {
    const vault = await openWith();
    await vault.put('A', 'one');
    await vault.put('B', 'two');
    const oldKey = await readFile(keyFile);
    const rows = () => inDatabase((db) => db.prepare('SELECT name, version, key_id, sealed FROM secrets ORDER BY name').all());
    const before = (await rows()) as { key_id: string; sealed: Uint8Array }[];

    const again = await openWith();
    const { keyId, secrets } = await again.rotateKey();
    expect([secrets, again.reveal('A'), again.reveal('B')]).toEqual([2, 'one', 'two']);
    expect(await readFile(keyFile)).not.toEqual(oldKey);
    expect(await readdir(folder)).not.toContain('secrets.key.next');
    expect(await rows()).toMatchObject([
      { name: 'A', version: 1, key_id: keyId },
      { name: 'B', version: 1, key_id: keyId },
    ]);
    const onDisk = Buffer.concat(await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name)))));
    for (const { sealed } of before) expect(onDisk.includes(sealed)).toBe(false);
    expect((await openWith()).reveal('B')).toBe('two');
  });

  it('finds the right key after a kill between any two steps of a change', async () => {
    const vault = await openWith();
    await vault.put('A', 'one');
    const copy = (name: string) => copyFile(join(folder, name), join(folder, `${name}.kept`));
    await copy('secrets.key');
    // Before the transaction: the new key lies there, nothing is encrypted with it.
    await writeFile(`${keyFile}.next`, `${generateKey()}\n`, { mode: 0o600 });
    expect((await openWith()).reveal('A')).toBe('one');
    expect(await readdir(folder)).not.toContain('secrets.key.next');
    // Half-written.
    await writeFile(`${keyFile}.next`, 'AAAA', { mode: 0o600 });
    expect((await openWith()).reveal('A')).toBe('one');
    expect(await readdir(folder)).not.toContain('secrets.key.next');
    // After the transaction and before the rename.
    await (await openWith()).rotateKey();
    await rename(keyFile, `${keyFile}.next`);
    await copyFile(`${keyFile}.kept`, keyFile);
    expect((await openWith()).reveal('A')).toBe('one');
    expect(await readdir(folder)).not.toContain('secrets.key.next');
    expect(logged).toContain('a change of the key of the secrets, which was cut off, is completed');
    await rm(`${keyFile}.kept`);
    expect((await openWith()).reveal('A')).toBe('one');
  });

  it('has every value and one key after a kill -9 in the middle of changes of the key', async () => {
    const vault = await openWith();
    for (let index = 0; index < 20; index++) await vault.put(`S${index}`, `value ${index} ${'x'.repeat(2000)}`);
    const cut: string[] = [];
    // Until three kills have met a change; chance decides which do.
    for (let round = 0; cut.length < 3; round++) {
      expect(round, 'kills that met no change').toBeLessThan(40);
      await (await opened.reopen()).close();
      const child = spawn(process.execPath, [rotateForever, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
      try {
        await Promise.race([once(child.stdout, 'data'), once(child, 'close')]);
        expect(child.exitCode, 'it runs').toBeNull();
        await wait(Math.random() * 20);
      } finally {
        child.kill('SIGKILL');
        await once(child, 'close');
      }
      expect(child.signalCode).toBe('SIGKILL');
      cut.push(...(await readdir(folder)).filter((name) => name.endsWith('.next')));
      const again = await openWith();
      for (let index = 0; index < 20; index++) expect(again.reveal(`S${index}`)).toBe(`value ${index} ${'x'.repeat(2000)}`);
      expect(await readdir(folder)).not.toContain('secrets.key.next');
      const keys = await inDatabase((db) => db.prepare('SELECT DISTINCT key_id FROM secrets').all());
      expect(keys).toHaveLength(1);
    }
  });
});
