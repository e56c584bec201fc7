import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPostgres } from '../../../src/postgres/open-postgres.ts';
import type { PostgresDatabase } from '../../../src/postgres/postgres.ts';
import { newSchedule } from '../../../src/schedules/cursor.ts';
import type { ChangeFeed, StoreChange } from '../../../src/store/change-feed.ts';
import { openChangeFeed } from '../../../src/store/postgres/change-feed.ts';
import { currentPosition, forgetChanges, readChanges } from '../../../src/store/postgres/changes.ts';
import { openPostgresStore } from '../../../src/store/postgres/open-postgres-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { until } from '../../support/hearth.ts';
import { Postgres } from '../../support/postgres.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';
import { accessConformance } from '../../unit/store/access-conformance.ts';
import { apiKey, instanceRecord, invocationRecord, layerRecord, trafficSplit, versionDraft } from '../../unit/store/records.ts';
import { scheduleConformance } from '../../unit/store/schedule-conformance.ts';
import { type OpenedStore, storeConformance } from '../../unit/store/store-conformance.ts';

const log = { info() {}, warn() {} };
let server: Postgres;
let db: PostgresDatabase;
let url: string;

beforeAll(async () => {
  server = await Postgres.start();
  url = await server.createDatabase();
  db = openPostgres({ url, maxConnections: 8, log });
});
afterAll(async () => {
  await db.close();
  await server[Symbol.asyncDispose]();
});

const open = (id: string): Promise<Store> => openPostgresStore({ db, node: { id } });

/** As if nobody had ever written anything. */
async function empty(): Promise<void> {
  const { rows } = await db.query<{ name: string }>(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'hearth' AND table_name NOT IN ('schema_migrations', 'change_counter')",
    [],
  );
  // By itself, so that the order of the tables doesn't matter. To truncate them would make some eighty files anew for each test.
  await db.query(`BEGIN; SET LOCAL session_replication_role = replica; ${rows.map(({ name }) => `DELETE FROM ${name}`).join('; ')}; COMMIT`);
}

async function openEmptyStore(): Promise<OpenedStore> {
  let store = await open('node 1');
  await empty();
  return {
    store,
    async reopen() {
      await store.close();
      store = await open('node 1');
      return store;
    },
    destroy: () => store.close(),
  };
}

describe('the PostgreSQL store', () => {
  // Each with hooks of its own.
  describe('keeps', () => storeConformance(openEmptyStore));
  describe('keeps of access', () => accessConformance(openEmptyStore));
  describe('keeps of schedules', () => scheduleConformance(openEmptyStore));
});

describe('a PostgreSQL store of two nodes', () => {
  let one: Store;
  let two: Store;

  beforeEach(async () => {
    [one, two] = await Promise.all([open('node 1'), open('node 2')]);
    await empty();
  });

  it('gives each of many versions put at once a number of its own, whichever node puts it', async () => {
    const put = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : two).putVersion(versionDraft({ hash: `hash ${index}` }))),
    );
    expect(new Set(put.map(({ version }) => version.number)).size).toBe(20);
    expect(await one.versions('echo')).toEqual(await two.versions('echo'));
    // The same text at the same moment is one version.
    const same = await Promise.all([one, two].map((store) => store.putVersion(versionDraft({ hash: 'same' }))));
    expect(same.map(({ version }) => version.number)).toEqual([21, 21]);
  });

  it('takes one firing of an instant from two nodes at the same moment', async () => {
    await one.putVersion(versionDraft());
    const change = (id: string) => ({
      schedule: newSchedule('echo', 'cron|* * * * *'),
      firings: [
        { id, functionName: 'echo', scheduledAt: 60_000, round: 0, kind: 'scheduled', firedAt: 60_000, endedAt: null, state: 'open', reason: null },
      ] as const,
      notices: [],
    });
    const outcomes = await Promise.all([one.changeSchedules([change('a')]), two.changeSchedules([change('b')])]);
    expect(outcomes.filter(({ stale }) => stale.length > 0)).toHaveLength(1);
    expect(await one.openFirings({ after: '', limit: 10 })).toHaveLength(1);
  });

  it('shows both what either recorded, and keeps apart what is of one machine', async () => {
    await one.writeInvocations([invocationRecord({ id: 'a' })]);
    await two.writeInstances([instanceRecord({ id: 'b' })]);
    expect(await two.invocation('a')).toEqual(invocationRecord({ id: 'a' }));
    expect(await one.instances({ limit: 10 })).toEqual([instanceRecord({ id: 'b' })]);

    const building = layerRecord({ id: 'l', state: 'building', readyAt: null });
    await one.putLayer(layerRecord({ id: 'l' }));
    await two.putLayer(building);
    expect([await one.layers(), await two.layers()]).toEqual([[layerRecord({ id: 'l' })], [building]]);
    expect(await two.layerRecipe('l')).toEqual(layerRecord({ id: 'l' }));
    expect(await two.deleteLayer('l')).toBe(true);
    expect([await two.layers(), await two.layerRecipe('l')]).toEqual([[], layerRecord({ id: 'l' })]);

    const step = { functionName: '', stepMs: 60_000, step: 7 };
    await one.putSeries([{ ...step, counts: 'one' }]);
    await two.putSeries([{ ...step, counts: 'two' }]);
    expect((await two.series({ limit: 10 })).map(({ counts }) => counts)).toEqual(['two']);
  });

  it('closes what its own crash left open, and that of nodes that are gone', async () => {
    const busy = (store: Store, id: string) => store.writeInstances([instanceRecord({ id, state: 'busy' })]);
    await busy(one, 'own');
    await busy(two, "another's");
    expect(await one.closeOpenRecords('crashed', 7)).toBe(1);
    expect(await one.instance("another's")).toMatchObject({ state: 'busy' });

    await db.query('CREATE TABLE IF NOT EXISTS nodes (id TEXT PRIMARY KEY, seen_at TIMESTAMPTZ NOT NULL)');
    await busy(await open('node 3'), 'lost');
    await busy(await open('node 4'), 'silent');
    await db.query("INSERT INTO nodes VALUES ('node 2', now() - interval '50 seconds'), ('node 4', now() - interval '70 seconds')");
    expect(await one.closeOpenRecords('crashed', 8)).toBe(2);
    expect((await one.instances({ liveOnly: true, limit: 10 })).map(({ id }) => id)).toEqual(["another's"]);
    expect(await one.closeOpenRecords('gone', 9, ['node 3', 'node 4'])).toBe(0);
    expect(await one.closeOpenRecords('gone', 9, ['node 2'])).toBe(1);
    await db.query('DROP TABLE nodes');
  });

  it('leaves backups to PostgreSQL', async () => {
    await expect(one.snapshot('/nowhere')).rejects.toMatchObject({ code: 'backup_not_here', message: expect.stringContaining('pg_dump') });
  });
});

describe('the feed of changes', () => {
  let one: Store;
  let two: Store;
  const feeds: ChangeFeed[] = [];

  /** Of node 1, by a way of its own to the database. */
  async function follow(url: string, listener: (change: StoreChange) => void | Promise<void>): Promise<void> {
    const own = openPostgres({ url, maxConnections: 2, log });
    const feed = openChangeFeed({ db: own, node: { id: 'node 1' }, log });
    feeds.push({ start: feed.start, close: () => feed.close().then(() => own.close()) });
    await feed.start(async (change) => listener(change));
  }

  beforeEach(async () => {
    [one, two] = await Promise.all([open('node 1'), open('node 2')]);
    await empty();
  });
  afterEach(async () => {
    await Promise.all(feeds.splice(0).map((feed) => feed.close()));
  });

  it("tells what other nodes change, each thing in order, and nothing of the node's own", async () => {
    await two.putVersion(versionDraft({ functionName: 'before' }));
    const told: string[] = [];
    await follow(url, ({ kind, name }) => void told.push(`${kind} ${name}`));
    const next = async (change: Promise<unknown>) => {
      const count = told.length;
      await change;
      await until(() => told.length > count);
    };
    await one.putVersion(versionDraft({ functionName: 'own' }));
    await next(two.putVersion(versionDraft()));
    await two.putVersion(versionDraft());
    await next(two.putTrafficSplit(trafficSplit()));
    await next(two.makeCurrent('echo', 1));
    await next(two.putApiKey(apiKey()));
    await next(two.putSecret({ name: 'S', version: 1, keyId: 'k', nonce: new Uint8Array(1), sealed: new Uint8Array(1), updatedAt: 1 }));
    await next(two.deleteSecret('S'));
    await next(two.changeSchedules([{ schedule: newSchedule('echo', 'cron|* * * * *'), firings: [], notices: [] }]));
    await two.deleteFunction('nobody');
    await next(two.deleteFunction('echo'));
    expect(told).toEqual([
      ...['function echo', 'function echo', 'function echo', 'api_keys echo'],
      ...['secret S', 'secret S', 'schedule echo', 'function echo'],
    ]);
  });

  it('tells again what the listener could not take, and others meanwhile', async () => {
    const told: string[] = [];
    await follow(url, ({ name }) => {
      told.push(name);
      if (name === 'echo' && !told.includes('a')) throw new Error('no');
    });
    await two.putVersion(versionDraft());
    await until(() => told.length > 0);
    await two.putVersion(versionDraft({ functionName: 'a' }));
    await until(() => told.includes('a') && told.at(-1) === 'echo');
  });

  it('knows what was changed while its connections broke, and while PostgreSQL was restarted', async () => {
    await using proxy = await TcpProxy.start(server.port);
    const told = new Set<string>();
    await follow(url.replace(String(server.port), String(proxy.port)), ({ name }) => void told.add(name));
    await two.putVersion(versionDraft({ functionName: 'a' }));
    await until(() => told.has('a'));
    proxy.cut();
    await two.putVersion(versionDraft({ functionName: 'b' }));
    await until(() => told.has('b'));
    await server.kill();
    // Whoever writes records keeps them and tries again.
    await expect(two.writeInvocations([invocationRecord()])).rejects.toMatchObject({ code: 'store_unavailable', retryAfter: 5 });
    await server.restart();
    await until(() =>
      two.putVersion(versionDraft({ functionName: 'c' })).then(
        () => true,
        () => false,
      ),
    );
    await until(() => told.has('c'));
  });

  it('tells of every function when the changes themselves are forgotten, and of secrets that are gone', async () => {
    const secret = { name: 'S', version: 1, keyId: 'k', nonce: new Uint8Array(1), sealed: new Uint8Array(1), updatedAt: 1 };
    const start = await currentPosition(db);
    await two.putSecret(secret);
    await two.deleteSecret('S');
    await two.putVersion(versionDraft());
    await two.deleteFunction('echo');
    await forgetChanges(db);
    expect((await readChanges(db, 'node 1', start)).changes).toEqual([
      { kind: 'secret', name: 'S' },
      { kind: 'function', name: 'echo' },
    ]);
    await db.query("UPDATE changes SET changed_at = now() - interval '25 hours'");
    await forgetChanges(db);
    const { position, changes } = await readChanges(db, 'node 1', start);
    expect(changes).toEqual([
      { kind: 'secret', name: 'S' },
      { kind: 'function', name: 'echo' },
      { kind: 'api_keys', name: 'echo' },
      { kind: 'schedule', name: 'echo' },
    ]);
    expect(await readChanges(db, 'node 1', position)).toEqual({ position, changes: [] });
  });
});
