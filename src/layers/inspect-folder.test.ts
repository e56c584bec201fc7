import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inspectFolder } from './inspect-folder.ts';

const limits = { maxBytes: 10 * 1024 ** 2, maxEntries: 100 };
let outside: string;
let root: string;

beforeEach(() => {
  outside = mkdtempSync(join(tmpdir(), 'hearth-inspect-'));
  root = join(outside, 'layer');
  mkdirSync(root);
});
afterEach(() => rmSync(outside, { recursive: true, force: true }));

function file(name: string, content = 'x'): string {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

test('counts the bytes on disk of ordinary files', async () => {
  file('pika/__init__.py', 'x'.repeat(100_000));
  file('pika/empty.py', '');
  const bytes = await inspectFolder(root, limits);
  expect(bytes).toBeGreaterThanOrEqual(100_000);
  expect(bytes).toBeLessThan(200_000);
});

test('a folder that was never made is empty', async () => {
  expect(await inspectFolder(join(outside, 'nothing'), limits)).toBe(0);
});

test.each([
  ['a sibling', 'lib/a.so', 'b.so'],
  ['a file above, still inside', 'lib/deep/a.so', '../../top.so'],
  ['its own folder', 'lib/here', '.'],
  ['nothing at all', 'lib/dangling', 'missing/thing'],
])('a link to %s is allowed', async (_what, link, target) => {
  file('lib/deep/x');
  symlinkSync(target, join(root, link));
  await expect(inspectFolder(root, limits)).resolves.toBeGreaterThan(0);
});

test.each([
  ['an absolute path', 'lib/a', '/etc/passwd'],
  ['a path above the layer', 'lib/a', '../../outside'],
  ['the folder around the layer', 'lib/a', '../..'],
  ['a path above from the top', 'a', '..'],
  ['a path that climbs after a name', 'lib/a', 'other/../../b'],
])('a link to %s is refused', async (_what, link, target) => {
  file('lib/x');
  symlinkSync(target, join(root, link));
  await expect(inspectFolder(root, limits)).rejects.toMatchObject({
    code: 'layer_build_failed',
    message: expect.stringContaining(`\`${link}\` is a link that leads out`),
  });
});

test('a link in place of the layer itself is refused', async () => {
  symlinkSync('/etc', join(outside, 'link'));
  await expect(inspectFolder(join(outside, 'link'), limits)).rejects.toThrow(/is not a folder/);
});

test.each([0o4755, 0o2755, 0o6755])('a file with mode %o is refused', async (mode) => {
  chmodSync(file('bin/tool'), mode);
  await expect(inspectFolder(root, limits)).rejects.toThrow(/`bin\/tool` has the set-user-id or set-group-id bit/);
});

test('a folder that hands down its group is allowed', async () => {
  file('lib/x');
  chmodSync(join(root, 'lib'), 0o2755);
  await expect(inspectFolder(root, limits)).resolves.toBeGreaterThan(0);
});

test('a pipe is refused', async () => {
  execFileSync('mkfifo', [join(root, 'pipe')]);
  await expect(inspectFolder(root, limits)).rejects.toThrow(/`pipe` is neither a file nor a folder nor a link/);
});

test('a socket is refused', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(root, 'socket'), resolve));
  try {
    await expect(inspectFolder(root, limits)).rejects.toThrow(/`socket` is neither/);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test('too many files are refused', async () => {
  for (let index = 0; index < 5; index += 1) file(`many/${index}`);
  await expect(inspectFolder(root, { ...limits, maxEntries: 6 })).resolves.toBeGreaterThan(0);
  await expect(inspectFolder(root, { ...limits, maxEntries: 5 })).rejects.toThrow(/too large for a layer: more than 5 files/);
});

test('too many bytes are refused, in a sparse file as well', async () => {
  truncateSync(file('sparse'), 11 * 1024 ** 2);
  await expect(inspectFolder(root, limits)).rejects.toThrow(/too large for a layer: more than 10 MiB/);
});
