import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import type { Sandbox, SandboxExit, SandboxSpec } from './driver.ts';
import { type PoolSettings, SandboxPool } from './pool.ts';

const KIND = { runtime: 'python', layers: ['/layers/a'], network: 'none', tmpBytes: 1024 } as const;
const SETTINGS: PoolSettings = { minimum: 1, maximum: 4, refills: 2, forgetMs: 60_000 };

/** Makes sandboxes that are nothing but an identity and an end. */
class PlainDriver {
  readonly created: { spec: SandboxSpec; sandbox: Sandbox; die: () => void }[] = [];
  failures = 0;
  /** Whether a sandbox without `preload` lacks something. */
  imports = false;
  breaksOverImports = false;
  broken = 0;

  async create(spec: SandboxSpec): Promise<Sandbox> {
    if (this.failures > 0) {
      this.failures--;
      throw new Error('no room');
    }
    if (spec.preload && this.breaksOverImports) {
      this.broken++;
      throw new Error('a library broke');
    }
    const { promise: exited, resolve } = Promise.withResolvers<SandboxExit>();
    const die = () => resolve({ code: null, signal: 'SIGKILL' });
    const sandbox: Sandbox = {
      id: spec.id,
      driver: 'plain',
      channel: new PassThrough(),
      layerPaths: [],
      functionFolder: '/function',
      streamListen: { host: '127.0.0.1', port: 5672, name: 'message_queue' },
      services: [],
      preloaded: spec.preload === true || !this.imports,
      onOutput: () => undefined,
      exited,
      stats: async () => ({ pssBytes: 0, processes: 1 }),
      limit: async () => undefined,
      oomKills: async () => 0,
      kill: die,
    };
    this.created.push({ spec, sandbox, die });
    return sandbox;
  }
}

let pool: SandboxPool;
afterEach(() => pool.close());

function open(driver: PlainDriver, settings: Partial<PoolSettings> = {}): SandboxPool {
  pool = new SandboxPool(driver, { ...SETTINGS, ...settings }, { warn: () => undefined });
  return pool;
}

describe('SandboxPool', () => {
  it('boots one of a kind that it is told of, gives it out once, and boots the next', async () => {
    const driver = new PlainDriver();
    open(driver).stock(KIND);
    await expect.poll(() => pool.counts.stocked).toBe(1);
    const sandbox = pool.take(KIND);
    expect(sandbox).toBe(driver.created[0]?.sandbox);
    expect(pool.take(KIND)).toBeUndefined();
    await expect.poll(() => pool.counts.stocked).toBeGreaterThanOrEqual(1);
    expect(pool.take(KIND)).not.toBe(sandbox);
    expect(pool.counts).toMatchObject({ hits: 2, misses: 1 });
  });

  it('in calm, has one with libraries in memory in the place of one without, once that is there', async () => {
    const driver = new PlainDriver();
    driver.imports = true;
    open(driver).stock(KIND);
    await expect.poll(() => driver.created.map(({ spec }) => spec.preload)).toEqual([false, true]);
    await expect.poll(() => pool.counts).toMatchObject({ stocked: 1, booting: 0 });
    expect(pool.take(KIND)).toBe(driver.created[1]?.sandbox);
    // It is not calm any more: what is taken is replaced by what boots at once.
    await expect.poll(() => pool.counts.stocked).toBe(1);
    expect(driver.created.slice(2).map(({ spec }) => spec.preload)).toEqual([false]);
  });

  it('is content with what it has when none with libraries in memory can be had', async () => {
    const driver = new PlainDriver();
    driver.imports = true;
    driver.breaksOverImports = true;
    open(driver).stock(KIND);
    await expect.poll(() => driver.broken).toBe(1);
    await expect.poll(() => pool.counts).toMatchObject({ stocked: 1, booting: 0 });
    expect(pool.take(KIND)).toBe(driver.created[0]?.sandbox);
  });

  it('never gives out a sandbox of another kind', async () => {
    const driver = new PlainDriver();
    open(driver).stock(KIND);
    await expect.poll(() => pool.counts.stocked).toBe(1);
    expect(pool.take({ ...KIND, network: 'egress' })).toBeUndefined();
    expect(pool.take({ ...KIND, layers: [] })).toBeUndefined();
    await expect
      .poll(() => driver.created.map(({ spec }) => `${spec.network} ${spec.layers}`).sort())
      .toEqual(['egress /layers/a', 'none ', 'none /layers/a']);
  });

  it('does not give out one that died on the shelf', async () => {
    const driver = new PlainDriver();
    open(driver).stock(KIND);
    await expect.poll(() => pool.counts.stocked).toBe(1);
    driver.created[0]?.die();
    await expect.poll(() => driver.created.length).toBe(2);
    await expect.poll(() => pool.counts.stocked).toBe(1);
    expect(pool.take(KIND)).toBe(driver.created[1]?.sandbox);
  });

  it('keeps no more than its bound, however many are taken', async () => {
    const driver = new PlainDriver();
    open(driver).stock(KIND);
    for (let n = 0; n < 50; n++) pool.take(KIND);
    await expect.poll(() => pool.counts.stocked).toBeGreaterThan(0);
    await expect.poll(() => pool.counts.booting).toBe(0);
    expect(pool.counts.stocked).toBeLessThanOrEqual(SETTINGS.maximum);
  });

  it('tries again after a boot that failed', async () => {
    const driver = new PlainDriver();
    driver.failures = 1;
    open(driver).stock(KIND);
    await expect.poll(() => pool.counts.stocked, { timeout: 5000 }).toBe(1);
  });

  it('is off with a minimum of none', () => {
    const driver = new PlainDriver();
    open(driver, { minimum: 0 }).stock(KIND);
    expect(pool.take(KIND)).toBeUndefined();
    expect(driver.created).toEqual([]);
  });

  it('ends everything when it is closed, what boots meanwhile included', async () => {
    const driver = new PlainDriver();
    open(driver).stock(KIND);
    pool.take(KIND);
    await pool.close();
    await Promise.all(driver.created.map(({ sandbox }) => sandbox.exited));
    expect(pool.counts.stocked).toBe(0);
  });
});
