import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openAdvisoryLeadership } from '../../../src/cluster/advisory-leadership.ts';
import type { NodeBook, NodeMeasure } from '../../../src/cluster/nodes/node-book.ts';
import { openPostgresNodes } from '../../../src/cluster/nodes/postgres-nodes.ts';
import { openPostgres } from '../../../src/postgres/open-postgres.ts';
import type { PostgresDatabase } from '../../../src/postgres/postgres.ts';
import { until } from '../../support/hearth.ts';
import { Postgres } from '../../support/postgres.ts';
import { TcpProxy } from '../../support/tcp-proxy.ts';

const log = { info() {}, warn() {} };
const MEASURE: NodeMeasure = { cores: 2, memoryBytes: 1024, maxInstances: 8, heldBytes: 512, instances: 3, running: 1, waiting: 0, functions: 4 };

describe('nodes of one database', { timeout: 60_000 }, () => {
  let server: Postgres;
  let url: string;
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    server = await Postgres.start();
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  function open(at = url): PostgresDatabase {
    const db = openPostgres({ url: at, maxConnections: 2, log });
    ends.push(() => db.close());
    return db;
  }

  async function join(name: string, db = open(), goneMs = 1000): Promise<{ nodes: NodeBook; counts: number[]; gone: string[] }> {
    const times = { beatMs: 50, goneMs, forgetMs: 2 * goneMs };
    const nodes = await openPostgresNodes({ db, label: { id: `id of ${name}`, name, version: '1.2.3' }, measure: () => MEASURE, log, times });
    ends.push(() => nodes.close());
    const counts: number[] = [];
    const gone: string[] = [];
    nodes.onChanged((up) => counts.push(up));
    nodes.onGone((ids) => gone.push(...ids));
    await nodes.start();
    return { nodes, counts, gone };
  }

  const seen = ({ nodes }: { nodes: NodeBook }) => nodes.list().map(({ name, state }) => `${name} ${state}`);
  const announce = ({ nodes }: { nodes: NodeBook }) => nodes.announce({ gatewayUrl: 'http://g', apiUrl: 'http://a' });

  it('see one another from start to end, and who takes calls', async () => {
    url = await server.createDatabase();
    const a = await join('a', open(), 30_000);
    announce(a);
    const b = await join('b', open(), 30_000);
    await until(async () => seen(a).length === 2);
    expect(seen(a)).toEqual(['a up', 'b starting']);
    expect([a.nodes.up, a.counts]).toEqual([1, []]);
    announce(b);
    await until(async () => a.nodes.up === 2 && b.nodes.up === 2);
    expect(a.nodes.list()[1]).toMatchObject({ id: 'id of b', version: '1.2.3', gatewayUrl: 'http://g', apiUrl: 'http://a', measure: MEASURE });
    const since = a.nodes.list()[1]?.startedAt as number;
    expect(Math.abs(since - Date.now())).toBeLessThan(60_000);
    await b.nodes.drain();
    await until(async () => a.nodes.up === 1);
    expect(seen(a)).toEqual(['a up', 'b draining']);
    expect(a.nodes.list()[1]?.startedAt).toBe(since);
    await b.nodes.close();
    await until(async () => seen(a).length === 1);
    expect([a.counts, a.gone]).toEqual([[2, 1], []]);
  });

  it('strike off who is gone, and one of them tells so', async () => {
    url = await server.createDatabase();
    const dying = open();
    const [a, b, c] = await Promise.all([join('a'), join('b'), join('c', dying)]);
    for (const one of [a, b, c]) announce(one);
    await until(async () => a.nodes.up === 3 && b.nodes.up === 3);
    await dying.close();
    await until(async () => !seen(a).includes('c up') && !seen(b).includes('c up'));
    await until(async () => a.gone.length + b.gone.length > 0);
    expect([...a.gone, ...b.gone]).toContain('id of c');
    // What it knew last serves.
    expect(seen(c)).toEqual(['a up', 'b up', 'c up']);
  });

  it('keep the list over an outage of the database, and while all come back', async () => {
    url = await server.createDatabase();
    await using proxy = await TcpProxy.start(server.port);
    const through = url.replace(String(server.port), String(proxy.port));
    const [a, b] = await Promise.all([join('a', open(through), 3000), join('b', open(through), 3000)]);
    for (const one of [a, b]) announce(one);
    await until(async () => a.nodes.up === 2 && b.nodes.up === 2);
    proxy.swallow();
    await until(async () => Date.now() - Math.max(a.nodes.asOf, b.nodes.asOf) > 3500);
    expect([seen(a), seen(b)]).toEqual([
      ['a up', 'b up'],
      ['a up', 'b up'],
    ]);
    const restored = Date.now();
    proxy.heal();
    await until(async () => Math.min(a.nodes.asOf, b.nodes.asOf) > restored);
    expect([a.counts, b.counts]).toEqual([[2], [2]]);
  });

  it('agree on one that leads, until its connection is lost or it gives the lead up', async () => {
    url = await server.createDatabase();
    const said: string[] = [];
    const leaders = ['a', 'b'].map((name) => {
      const leadership = openAdvisoryLeadership({ db: open(), log, retryMs: 20 });
      ends.push(() => leadership.close());
      leadership.start({ won: () => said.push(`${name} won`), lost: () => said.push(`${name} lost`) });
      return leadership;
    });
    await until(async () => said.length === 1);
    const db = open();
    const first = said[0]?.[0] as string;
    await db.query("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted", []);
    await until(async () => said.length === 3);
    expect(said.slice(1)).toContain(`${first} lost`);
    const second = said.findLast((one) => one.endsWith('won'))?.[0] as string;
    await leaders[second === 'a' ? 0 : 1]?.close();
    await until(async () => said.length === 4);
    expect(said[3]).toBe(`${second === 'a' ? 'b' : 'a'} won`);
  });
});
