import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchSize } from './watch-size.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-watch-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('tells once when the folder has grown beyond the bound', async () => {
  let calls = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const exceeded = () => {
    calls += 1;
    resolve();
  };
  const watch = watchSize(folder, { maxBytes: 1024 ** 2, intervalMs: 1, exceeded });
  mkdirSync(join(folder, 'deep/er'), { recursive: true });
  writeFileSync(join(folder, 'deep/er/large'), Buffer.alloc(2 * 1024 ** 2, 1));
  await promise;
  await watch.stop();
  expect(calls).toBe(1);
});

test('says nothing of a folder that stays small, is full of links, or was never made', async () => {
  symlinkSync('/usr', join(folder, 'usr'));
  symlinkSync('.', join(folder, 'loop'));
  let exceeded = false;
  const options = { maxBytes: 1024 ** 2, intervalMs: 1, exceeded: () => (exceeded = true) };
  const small = watchSize(folder, options);
  const missing = watchSize(join(folder, 'missing'), options);
  // Long enough for many looks; nothing here depends on how many.
  await new Promise((resolve) => setTimeout(resolve, 50));
  await Promise.all([small.stop(), missing.stop()]);
  expect(exceeded).toBe(false);
});
