import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPostgres } from '../../../src/postgres/open-postgres.ts';
import type { PostgresDatabase } from '../../../src/postgres/postgres.ts';
import { openPostgresStore } from '../../../src/store/postgres/open-postgres-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { Postgres } from '../../support/postgres.ts';
import { accessConformance } from '../../unit/store/access-conformance.ts';
import { instanceRecord, invocationRecord, layerRecord, versionDraft } from '../../unit/store/records.ts';
import { scheduleConformance } from '../../unit/store/schedule-conformance.ts';
import { type OpenedStore, storeConformance } from '../../unit/store/store-conformance.ts';

const log = { info() {}, warn() {} };
let server: Postgres;
let db: PostgresDatabase;

beforeAll(async () => {
  server = await Postgres.start();
  db = openPostgres({ url: await server.createDatabase(), maxConnections: 8, log });
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
      schedule: {
        functionName: 'echo',
        eventKey: 'cron|* * * * *',
        nextAt: null,
        dueAt: null,
        lastAt: null,
        round: 0,
        paused: false,
        failures: 0,
        failing: false,
        revision: 0,
      },
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
    await db.query('DROP TABLE nodes');
  });

  it('leaves backups to PostgreSQL', async () => {
    await expect(one.snapshot('/nowhere')).rejects.toMatchObject({ code: 'backup_not_here', message: expect.stringContaining('pg_dump') });
  });
});
