import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteStore } from '../../../src/store/sqlite/open-sqlite-store.ts';
import type { StoreLog } from '../../../src/store/sqlite/store-client.ts';
import type { OpenedStore } from './store-conformance.ts';

export const silent: StoreLog = { error() {} };

export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'hearth-store-'));
}

/** A real SQLite store in a folder of its own. */
export async function openTemporaryStore(): Promise<OpenedStore & { file: string }> {
  const folder = await temporaryFolder();
  const file = join(folder, 'hearth.db');
  let store = await openSqliteStore({ file, log: silent });
  return {
    file,
    store,
    async reopen() {
      await store.close();
      store = await openSqliteStore({ file, log: silent });
      return store;
    },
    async destroy() {
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
