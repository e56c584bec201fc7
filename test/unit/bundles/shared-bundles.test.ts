import { randomUUID } from 'node:crypto';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BundleBlobs, type Bundles, createBundles } from '../../../src/bundles/bundles.ts';

const limits = { maxUploadBytes: 1e6, maxBytes: 1e6, maxFiles: 100 };
const files = { 'main.py': 'print(1)\n', 'data.txt': 'x'.repeat(100_000) };

describe('bundles that nodes share', () => {
  let folder: string;
  let kept: Map<string, string>;
  let fetches: number;
  let blobs: BundleBlobs;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-shared-bundles-'));
    kept = new Map();
    fetches = 0;
    blobs = {
      async put(hash, file) {
        const copy = join(folder, randomUUID());
        await copyFile(file, copy);
        kept.set(hash, copy);
      },
      async fetch(hash, file) {
        fetches += 1;
        const copy = kept.get(hash);
        if (copy !== undefined) await copyFile(copy, file);
        return copy !== undefined;
      },
    };
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const openNode = (name: string, shared: BundleBlobs | null = blobs): Promise<Bundles> => createBundles(join(folder, name), limits, shared);

  it('are fetched by a node that asks for one, once', async () => {
    const [one, other] = [await openNode('one'), await openNode('other')];
    const { hash } = await one.fromFiles(files);
    expect([kept.has(hash), await other.isHere(hash)]).toEqual([true, false]);
    const [found, text] = await Promise.all([other.get(hash), other.text(hash, 'main.py', 1000)]);
    expect([found, text]).toEqual([await one.get(hash), 'print(1)\n']);
    const { length, chunks } = await other.open(hash);
    let bytes = 0;
    for await (const chunk of chunks) bytes += chunk.length;
    expect(bytes).toBe(length);
    expect([fetches, await other.isHere(hash)]).toEqual([1, true]);
    expect(await other.get('0'.repeat(64))).toBeUndefined();
  });

  it('are refused when they came damaged, and fetched anew', async () => {
    const { hash } = await (await openNode('one')).fromFiles(files);
    const whole = kept.get(hash) as string;
    const damaged = join(folder, 'damaged');
    await writeFile(damaged, '{"files":[]}\n');
    kept.set(hash, damaged);
    const other = await openNode('other');
    await expect(other.get(hash)).rejects.toThrow(/damaged/);
    kept.set(hash, whole);
    expect((await other.get(hash))?.hash).toBe(hash);
  });

  it('are told of by nobody who could not share them', async () => {
    const one = await openNode('one', { ...blobs, put: () => Promise.reject(new Error('the database is away')) });
    await expect(one.fromFiles(files)).rejects.toThrow('the database is away');
  });
});
