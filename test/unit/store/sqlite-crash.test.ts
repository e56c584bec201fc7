import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteStore } from '../../../src/store/sqlite/open-sqlite-store.ts';
import { createStoreClient } from '../../../src/store/sqlite/store-client.ts';
import { silent, temporaryFolder } from './temporary-store.ts';

const writeForever = fileURLToPath(new URL('./fixtures/write-forever.ts', import.meta.url));

describe('the SQLite store and sudden deaths', () => {
  let folder: string;
  let child: ChildProcess | undefined;

  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    child?.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  it.for([3, 17])('has everything that was acknowledged before a kill -9 after round %i', async (rounds) => {
    const file = join(folder, 'hearth.db');
    child = spawn(process.execPath, [writeForever, file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      printed += chunk;
      if (printed.split('\n').length > rounds) child?.kill('SIGKILL');
    });
    const [, signal] = (await once(child, 'close')) as [number | null, string | null];
    expect(signal).toBe('SIGKILL');

    const acknowledged = printed.slice(0, printed.lastIndexOf('\n')).split('\n').map(Number);
    expect(acknowledged.length).toBeGreaterThanOrEqual(rounds);
    const last = acknowledged.at(-1) as number;
    const store = await openSqliteStore({ file, log: silent });
    try {
      const versions = await store.versions('echo');
      expect(versions.length).toBeGreaterThanOrEqual(last);
      expect(versions.map((version) => version.number)).toEqual(Array.from({ length: versions.length }, (_, index) => versions.length - index));
      expect((await store.currentVersions())[0]).toEqual(versions[0]);
      for (const round of acknowledged) {
        for (let index = 0; index < 50; index += 1) expect(await store.invocation(`${round}/${index}`)).toMatchObject({ id: `${round}/${index}` });
      }
      // The round under way is there as a whole or not at all.
      const partial = await Promise.all(Array.from({ length: 50 }, (_, index) => store.invocation(`${last + 1}/${index}`)));
      expect([0, 50]).toContain(partial.filter((record) => record !== undefined).length);
    } finally {
      await store.close();
    }
  });

  it('rejects the calls that wait and those that come later when the worker dies, and says so once', async () => {
    const logged: string[] = [];
    const worker = new Worker(new URL('./fixtures/dying-worker.ts', import.meta.url));
    const store = await createStoreClient(worker, '/the/file.db', { error: (_fields, message) => logged.push(message) });
    const calls = await Promise.allSettled([store.layers(), store.currentVersions()]);
    for (const call of calls) {
      expect(call).toMatchObject({
        status: 'rejected',
        reason: { code: 'store_unavailable', message: expect.stringMatching(/\/the\/file\.db.*out of luck/) },
      });
    }
    await expect(store.layers()).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(logged).toEqual(['the store is gone']);
    await store.close();
  });
});
