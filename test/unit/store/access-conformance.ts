import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuditEntry, TokenRecord } from '../../../src/schemas/access.ts';
import type { Store } from '../../../src/store/store.ts';
import type { OpenedStore } from './store-conformance.ts';

function tokenRecord(members: Partial<TokenRecord> = {}): TokenRecord {
  return { id: 'a1', name: 'laptop', role: 'deploy', hash: 'ff'.repeat(32), createdAt: 1.5, expiresAt: null, lastUsedAt: null, ...members };
}

function entry(members: Partial<AuditEntry> = {}): Parameters<Store['beginAudit']>[0] {
  return { at: 10, tokenId: null, actor: 'local', address: '::1', method: 'POST', route: '/functions', subject: 'echo', ...members };
}

/** What src/store/store.ts says of tokens and the audit log, as tests. */
export function accessConformance(open: () => Promise<OpenedStore>): void {
  let opened: OpenedStore;
  let store: Store;

  beforeEach(async () => {
    opened = await open();
    store = opened.store;
  });
  afterEach(() => opened.destroy());

  describe('tokens', () => {
    it('keeps them, oldest first, over a restart', async () => {
      const second = tokenRecord({ id: 'b', name: 'ci', createdAt: 2, expiresAt: 99.5, role: 'read' });
      await store.putToken(second);
      await store.putToken(tokenRecord());
      store = await opened.reopen();
      expect(await store.tokens()).toEqual([tokenRecord(), second]);
      expect(await store.token('b')).toEqual(second);
      expect(await store.token('c')).toBeUndefined();
    });

    it('takes no second one of a name, until the first is deleted', async () => {
      await store.putToken(tokenRecord());
      await expect(store.putToken(tokenRecord({ id: 'b' }))).rejects.toMatchObject({ code: 'conflict' });
      expect(await store.deleteToken('a1')).toBe(true);
      expect(await store.deleteToken('a1')).toBe(false);
      await store.putToken(tokenRecord({ id: 'b' }));
      expect(await store.tokens()).toEqual([tokenRecord({ id: 'b' })]);
    });

    it('notes when one was used, and nothing for one that is gone', async () => {
      await store.putToken(tokenRecord());
      await store.touchToken('a1', 5);
      await store.touchToken('gone', 5);
      expect(await store.tokens()).toEqual([tokenRecord({ lastUsedAt: 5 })]);
    });
  });

  describe('the audit log', () => {
    it('has what was begun, and how it ended', async () => {
      const id = await store.beginAudit(entry({ tokenId: 'a1', actor: 'laptop' }));
      const begun = { ...entry({ tokenId: 'a1', actor: 'laptop' }), id, version: null, status: null };
      expect(await store.audit({ limit: 10 })).toEqual([begun]);
      await store.endAudit(id, 200, 3);
      store = await opened.reopen();
      expect(await store.audit({ limit: 10 })).toEqual([{ ...begun, version: 3, status: 200 }]);
    });

    it('changes no entry that has ended', async () => {
      const id = await store.beginAudit(entry());
      await store.endAudit(id, 409, null);
      await expect(store.endAudit(id, 200, 1)).rejects.toThrow();
      expect(await store.audit({ limit: 10 })).toMatchObject([{ id, status: 409, version: null }]);
    });

    it('pages from the newest to the oldest, back to an instant', async () => {
      const ids: number[] = [];
      for (const at of [1, 2, 2, 3]) ids.push(await store.beginAudit(entry({ at })));
      const idsOf = async (filter: Parameters<Store['audit']>[0]) => (await store.audit(filter)).map(({ id }) => id);
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
      const [first, second, third, fourth] = ids as [number, number, number, number];
      expect(await idsOf({ limit: 2 })).toEqual([fourth, third]);
      expect(await idsOf({ limit: 2, before: third })).toEqual([second, first]);
      expect(await idsOf({ limit: 10, since: 2 })).toEqual([fourth, third, second]);
      expect(await idsOf({ limit: 10, since: 2, before: third })).toEqual([second]);
    });

    it('loses entries by age only, and never gives an id again', async () => {
      const old = await store.beginAudit(entry({ at: 1 }));
      const last = await store.beginAudit(entry({ at: 2 }));
      expect(await store.pruneAudit(2)).toBe(1);
      expect(await store.audit({ limit: 10 })).toMatchObject([{ id: last }]);
      expect(await store.pruneAudit(3)).toBe(1);
      const next = await store.beginAudit(entry({ at: 4 }));
      expect(next).toBeGreaterThan(Math.max(old, last));
    });
  });
}
