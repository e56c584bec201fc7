import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openClusterFacts } from '../../../src/cluster/cluster-facts.ts';
import { openNodeIdentity } from '../../../src/cluster/node-identity.ts';
import { reachDatabase } from '../../../src/composition/reach-database.ts';
import { probeServices } from '../../../src/composition/service-probes.ts';
import { loadConfig } from '../../../src/config.ts';
import { openPostgres } from '../../../src/postgres/open-postgres.ts';
import type { PostgresDatabase } from '../../../src/postgres/postgres.ts';
import { openBundleBlobs } from '../../../src/store/postgres/bundle-blobs.ts';
import { Postgres } from '../../support/postgres.ts';

const silent = { info() {}, warn() {} };

let server: Postgres;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-cluster-'));
  server = await Postgres.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe('what nodes share in PostgreSQL', () => {
  let one: PostgresDatabase;
  let other: PostgresDatabase;

  beforeAll(async () => {
    const url = await server.createDatabase();
    [one, other] = [openPostgres({ url, maxConnections: 2, log: silent }), openPostgres({ url, maxConnections: 2, log: silent })];
  });
  afterAll(async () => {
    await one.close();
    await other.close();
  });

  it('has one id, and one key of secrets until the operator says which was the one before', async () => {
    const [facts, same] = await Promise.all([openClusterFacts(one), openClusterFacts(other)]);
    expect(facts.clusterId).toBe(same.clusterId);
    await facts.agree('k1', undefined, 'a file');
    await same.agree('k1', undefined, 'a file');
    await expect(same.agree('k2', undefined, 'a file')).rejects.toMatchObject({ code: 'invalid_config', message: expect.stringContaining('id k1') });
    await same.agree('k2', 'k1', 'a file');
    await facts.agree('k2', 'k1', 'a file');
    await expect(facts.agree('k1', undefined, 'a file')).rejects.toMatchObject({ code: 'invalid_config' });
  });

  it('has bundle files, whole, until nobody names or asks for them', async () => {
    const [blobs, elsewhere] = await Promise.all([openBundleBlobs(one), openBundleBlobs(other)]);
    const content = Buffer.alloc(2.5 * 1024 * 1024, 'some bytes\0');
    const file = join(folder, 'bundle');
    await writeFile(file, content);
    await Promise.all([blobs.put('a', file), elsewhere.put('a', file), blobs.put('b', file)]);
    await writeFile(join(folder, 'empty'), '');
    await blobs.put('empty', join(folder, 'empty'));
    expect(await elsewhere.fetch('a', join(folder, 'copy'))).toBe(true);
    expect(content.equals(await readFile(join(folder, 'copy')))).toBe(true);
    expect(await elsewhere.fetch('none', join(folder, 'none'))).toBe(false);
    expect(await blobs.prune(async () => [], 3600_000)).toBe(0);
    expect(await blobs.prune(async () => ['b'], 0)).toBe(2);
    expect([await blobs.fetch('a', join(folder, 'a')), await blobs.fetch('b', join(folder, 'b'))]).toEqual([false, true]);
  });

  it('is waited for at the start, for so long and no longer', async () => {
    const said: string[] = [];
    const log = { info: () => void said.push('it answers'), warn: (fields: object) => void said.push((fields as { reason: string }).reason) };
    const nowhere = openPostgres({ url: 'postgres://postgres@127.0.0.1:1/nowhere', maxConnections: 1, log: silent });
    await expect(reachDatabase(nowhere, log as never, 1500)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(said).toEqual([expect.stringContaining('can not be reached')]);
    await nowhere.close();
    await reachDatabase(one, log as never, 0);
    expect(said).toHaveLength(1);
  });
});

describe('a node', () => {
  it('hears from the doctor whether its database and broker answer', async () => {
    const config = (database: string, amqp: string) => loadConfig({ HEARTH_DATABASE_URL: database, HEARTH_AMQP_URL: amqp }, folder);
    expect(await probeServices(config('', ''))).toEqual([]);
    expect(await probeServices(config(server.url, 'amqp://user:secret@127.0.0.1:1/'))).toEqual([
      { name: 'postgresql', ok: true, detail: expect.stringMatching(/^127\.0\.0\.1:\d+\/postgres answers: PostgreSQL \d+/) },
      { name: 'rabbitmq', ok: false, detail: expect.stringMatching(/^amqp:\/\/127\.0\.0\.1:1\/ can not be reached: .*ECONNREFUSED/) },
    ]);
    const [away] = await probeServices(config('postgres://postgres:secret@127.0.0.1:1/there', ''));
    expect(away).toEqual({ name: 'postgresql', ok: false, detail: expect.stringContaining('can not be reached') });
  });

  it('stays who it is as long as its data folder does', async () => {
    const { id } = await openNodeIdentity(folder, 'a');
    expect(await openNodeIdentity(folder, 'b')).toEqual({ id, name: 'b' });
    await writeFile(join(folder, 'node-id'), 'nonsense');
    await expect(openNodeIdentity(folder, '')).rejects.toMatchObject({ code: 'invalid_config', message: expect.stringContaining('node-id') });
    await rm(join(folder, 'node-id'));
    expect((await openNodeIdentity(folder, '')).id).not.toBe(id);
  });
});
