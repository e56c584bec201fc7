import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

// The agent is JavaScript of its own, which the platform's types know nothing of.
const BUNDLE = new URL('../../../runtimes/node/agent/bundle.mjs', import.meta.url).href;
const { Unpacker } = await import(BUNDLE);

const CONTENTS: Record<string, string> = { 'a.mjs': 'export {}', 'deep/er/empty': '', 'deep/tool': '#!x', last: '' };

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-unpack-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function bundleFile(contents: Record<string, string>, announced = contents): Buffer {
  const files = Object.entries(announced).map(([path, text]) => ({ path, size: Buffer.byteLength(text), executable: path.endsWith('tool') }));
  return Buffer.from(`${JSON.stringify({ files })}\n${Object.values(contents).join('')}`);
}

/** In pieces of so many bytes. @returns what went wrong */
function unpack(target: string, bytes: Buffer, size: number): string | null {
  const unpacker = new Unpacker({ folder: target, entry: 'a.mjs', length: bytes.length });
  for (let at = 0; at < bytes.length; at += size) {
    expect(unpacker.feed(bytes.subarray(at, at + size))).toBe(at + size >= bytes.length);
  }
  return unpacker.trouble?.message ?? null;
}

it.each([1, 7, 1000])('makes the files of a bundle that comes in pieces of %i bytes', async (size) => {
  expect(unpack(join(folder, 'function'), bundleFile(CONTENTS), size)).toBeNull();
  const made = (await readdir(join(folder, 'function'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const paths = made.map(({ parentPath, name }) => join(parentPath, name).slice(join(folder, 'function/').length));
  expect(paths.sort()).toEqual(Object.keys(CONTENTS).sort());
  for (const [path, text] of Object.entries(CONTENTS)) {
    const file = join(folder, 'function', path);
    expect(await readFile(file, 'utf8')).toBe(text);
    expect((await stat(file)).mode & 0o777).toBe(path.endsWith('tool') ? 0o555 : 0o444);
  }
});

it('tells what is wrong once all has come', async () => {
  expect(unpack(join(folder, '1'), bundleFile(CONTENTS, { ...CONTENTS, last: 'more' }), 5)).toMatch(/shorter than its manifest/);
  expect(unpack(join(folder, '2'), bundleFile({ ...CONTENTS, last: 'more' }, CONTENTS), 5)).toMatch(/longer than its manifest/);
  expect(unpack(join(folder, '3'), Buffer.from('no manifest\n'), 5)).toMatch(/could not be unpacked/);
  await writeFile(join(folder, '4'), 'in the way');
  expect(unpack(join(folder, '4'), bundleFile(CONTENTS), 5)).toMatch(/^the bundle could not be unpacked: E/);
});

it('refuses more than was announced', () => {
  const unpacker = new Unpacker({ folder, entry: 'a.mjs', length: 3 });
  expect(() => unpacker.feed(Buffer.from('four'))).toThrow('more of the bundle came than Load announced');
});
