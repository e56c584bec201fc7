import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bundles, createBundles } from '../../../src/bundles/bundles.ts';
import { HearthError } from '../../../src/errors.ts';

const LIMITS = { maxUploadBytes: 300_000, maxBytes: 1_000_000, maxFiles: 50 };

let folder: string;
let bundles: Bundles;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-hostile-archives-'));
  bundles = await createBundles(join(folder, 'bundles'), LIMITS);
});

afterEach(async () => {
  expect((await readdir(folder)).sort()).toEqual(expect.arrayContaining(['bundles']));
  // Nothing half made stays, and nothing lands beside.
  expect((await readdir(join(folder, 'bundles'))).filter((name) => !/^[0-9a-f]{64}\.bundle$/.test(name))).toEqual([]);
  await rm(folder, { recursive: true, force: true });
});

type EntryHeader = Parameters<Pack['entry']>[0];
type TarEntry = [header: EntryHeader, content?: string | Buffer];

async function tar(...entries: TarEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const [header, content = ''] of entries) archive.entry(header, content);
  archive.finalize();
  return buffer(archive as unknown as Readable);
}

/** By Python's zipfile, which writes what it is told. @param lines of Python that add to the archive `z` */
function zip(...lines: string[]): Buffer {
  const code = [
    'import io, sys, warnings, zipfile',
    'warnings.simplefilter("ignore")',
    'b = io.BytesIO()',
    'z = zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED)',
    ...lines,
    'z.close()',
    'sys.stdout.buffer.write(b.getvalue())',
  ];
  return execFileSync('python3', ['-c', code.join('\n')], { maxBuffer: 64 * 1024 * 1024 });
}

const receive = (bytes: Buffer) => bundles.receive(Readable.from([bytes]));

async function refusal(bytes: Buffer): Promise<{ code: string; message: string }> {
  const error = await receive(bytes).then(
    () => new Error('it was taken'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof HearthError)) throw error;
  expect(await readdir(join(folder, 'bundles'))).toEqual([]);
  return { code: error.code, message: error.message };
}

const invalid = (text: string) => ({ code: 'invalid_bundle', message: expect.stringContaining(text) });
const tooLarge = (text: string) => ({ code: 'bundle_too_large', message: expect.stringContaining(text) });

describe('a hostile tar', () => {
  const paths: [name: string, path: string, why: string][] = [
    ['a way out', '../evil.py', 'leads out'],
    ['a way out in its middle', 'a/../../evil.py', 'leads out'],
    ['an absolute path', '/etc/cron.d/evil', 'absolute'],
    ['a drive', 'C:evil.py', 'absolute'],
    ['a backslash', 'a\\..\\evil.py', 'backslashes'],
    ['a control character', 'a\nb.py', 'control characters'],
    ['an empty part', 'a//b.py', 'no plain path'],
    ['a part that is a dot', 'a/./b.py', 'no plain path'],
    ['a hundred folders', `${'a/'.repeat(100)}b.py`, 'folders deep'],
    ['a long name', 'a'.repeat(300), 'too long'],
  ];
  it.each(paths)('with %s is refused', async (_, path, why) => {
    expect(await refusal(await tar([{ name: path }, 'x']))).toEqual(invalid(why));
  });

  const kinds: [type: NonNullable<EntryHeader['type']>, why: string][] = [
    ['symlink', 'a symbolic link'],
    ['link', 'a hard link'],
    ['block-device', 'block-device'],
    ['character-device', 'character-device'],
    ['fifo', 'fifo'],
  ];
  it.each(kinds)('with a %s is refused', async (type, why) => {
    expect(await refusal(await tar([{ name: 'ok.py' }, 'x'], [{ name: 'bad', type, linkname: '../../etc/passwd' }]))).toEqual(invalid(why));
  });

  it('that names a file twice, in two cases, in two Unicode forms, or as a folder too, is refused', async () => {
    expect(await refusal(await tar([{ name: 'a.py' }, '1'], [{ name: 'a.py' }, '2']))).toEqual(invalid('twice'));
    expect(await refusal(await tar([{ name: 'a.py' }, '1'], [{ name: 'A.py' }, '2']))).toEqual(invalid('take for one'));
    expect(await refusal(await tar([{ name: 'lib/a.py' }, '1'], [{ name: 'LIB/b.py' }, '2']))).toEqual(invalid('take for one'));
    expect(await refusal(await tar([{ name: 'caf\u00e9' }, '1'], [{ name: 'cafe\u0301' }, '2']))).toEqual(invalid('take for one'));
    expect(await refusal(await tar([{ name: 'a' }, '1'], [{ name: 'a/b' }, '2']))).toEqual(invalid('twice'));
  });

  it('that unpacks to too much is stopped, whatever it claims and wherever that lies', async () => {
    expect(await refusal(gzipSync(await tar([{ name: 'bomb' }, Buffer.alloc(20_000_000)])))).toEqual(tooLarge('bundles.max_bytes'));
    expect(await refusal(gzipSync(Buffer.concat([await tar([{ name: 'a.py' }, 'x']), Buffer.alloc(20_000_000)])))).toEqual(
      tooLarge('unpacks to more'),
    );
    const name = await tar([{ name: 'a.py', pax: { comment: 'x'.repeat(5_000_000) } }, 'x']);
    expect(await refusal(gzipSync(name))).toEqual(invalid('max size'));
  });

  it('with too many entries is refused, folders among them', async () => {
    const many = (type: 'file' | 'directory') => tar(...Array.from({ length: 51 }, (_, n): TarEntry => [{ name: `n${n}`, type }]));
    expect(await refusal(await many('file'))).toEqual(tooLarge('max_files'));
    expect(await refusal(await many('directory'))).toEqual(tooLarge('max_files'));
  });

  it('that is cut short, damaged, empty or too large an upload is refused', async () => {
    const whole = await tar([{ name: 'a.py' }, Buffer.alloc(5000, 'x')]);
    const zipped = gzipSync(whole);
    expect(await refusal(zipped.subarray(0, zipped.length - 12))).toEqual(invalid('can not be read'));
    expect(await refusal(whole.subarray(0, 2000))).toEqual(invalid('can not be read'));
    const damaged = Buffer.from(zipped);
    damaged.writeUInt32LE(1, zipped.length - 8);
    expect(await refusal(damaged)).toEqual(invalid('can not be read'));
    expect(await refusal(await tar())).toMatchObject({ code: 'invalid_bundle' });
    expect(await refusal(Buffer.alloc(300_001))).toEqual(tooLarge('max_upload_bytes'));
    expect(await refusal(Buffer.alloc(0))).toEqual(invalid('neither'));
  });

  it('loses setuid, owners and everything but whether it may be executed; archives in it stay closed', async () => {
    const inner = gzipSync(await tar([{ name: '../inner' }, 'x']));
    const stored = await receive(
      await tar(
        [{ name: './su', mode: 0o6755, uid: 0, uname: 'root' }, 'x'],
        [{ name: 'plain', mode: 0o644 }, ''],
        [{ name: 'inner.tar.gz' }, inner],
      ),
    );
    expect(stored.files.map(({ path, executable }) => [path, executable])).toEqual([
      ['inner.tar.gz', false],
      ['plain', false],
      ['su', true],
    ]);
  });
});

describe('a hostile zip', () => {
  it('with a way out, an absolute path or a backslash is refused', async () => {
    for (const path of ['../evil.py', '/etc/evil', 'a\\\\..\\\\evil.py', 'C:/evil']) {
      expect(await refusal(zip(`z.writestr("${path}", "x")`))).toMatchObject({ code: 'invalid_bundle' });
    }
  });

  it('with a symbolic link or a device is refused', async () => {
    const entry = (mode: string) =>
      zip(`i = zipfile.ZipInfo("bad"); i.create_system = 3; i.external_attr = ${mode} << 16; z.writestr(i, "/etc/passwd")`);
    expect(await refusal(entry('0o120777'))).toEqual(invalid('a symbolic link'));
    expect(await refusal(entry('0o020666'))).toEqual(invalid('device'));
  });

  it('that names a file twice is refused', async () => {
    expect(await refusal(zip('z.writestr("a.py", "1")', 'z.writestr("a.py", "2")'))).toEqual(invalid('twice'));
  });

  it('that unpacks to too much, or to other than it says, is refused', async () => {
    expect(await refusal(zip('z.writestr("bomb", bytes(20_000_000))'))).toEqual(tooLarge('max_bytes'));
    const lying = zip('z.writestr("bomb", bytes(900_000))');
    // The uncompressed size in the central directory (APPNOTE 4.3.12).
    lying.writeUInt32LE(10, lying.lastIndexOf('PK\x01\x02') + 24);
    expect(await refusal(lying)).toEqual(invalid('can not be read'));
  });

  it('with a wrong checksum, or cut short, is refused', async () => {
    const whole = zip('z.writestr("a.py", "print(1)" * 100)');
    const damaged = Buffer.from(whole);
    damaged.writeUInt32LE(1, damaged.lastIndexOf('PK\x01\x02') + 16);
    expect(await refusal(damaged)).toEqual(invalid('damaged'));
    expect(await refusal(whole.subarray(0, whole.length - 30))).toEqual(invalid('can not be read'));
  });

  it('with too many entries is refused', async () => {
    expect(await refusal(zip('for n in range(51): z.writestr("f%d" % n, "")'))).toEqual(tooLarge('max_files'));
  });
});

describe('an honest archive', () => {
  it('as zip64, zip, tar or tar.gz is one bundle, which comes out as it went in', async () => {
    const zip64 = zip('with z.open("lib/a.py", "w", force_zip64=True) as f: f.write(b"hello")', 'z.writestr("main.py", "print(1)")');
    const plain = zip('z.writestr("main.py", "print(1)")', 'z.writestr("lib/a.py", "hello")');
    const tarred = await tar([{ name: 'lib', type: 'directory' }], [{ name: './lib/a.py' }, 'hello'], [{ name: 'main.py' }, 'print(1)']);
    const stored = [];
    for (const bytes of [zip64, plain, tarred, gzipSync(tarred)]) stored.push(await receive(bytes));
    expect(new Set(stored.map(({ hash }) => hash)).size).toBe(1);
    const hash = stored[0]?.hash as string;
    expect(await bundles.text(hash, 'lib/a.py', 100)).toBe('hello');
    const out = await buffer((await bundles.archive(hash)) as Readable);
    expect((await receive(out)).hash).toBe(hash);
    const [line, rest] = (await readFile(join(folder, 'bundles', `${hash}.bundle`), 'utf8')).split('\n');
    expect(JSON.parse(line as string).files.map(({ path }: { path: string }) => path)).toEqual(['lib/a.py', 'main.py']);
    expect(rest).toBe('helloprint(1)');
  });

  it('is swept when nobody names it and nobody has asked for it lately', async () => {
    const { hash } = await receive(zip('z.writestr("main.py", "1")'));
    expect(await bundles.sweep(async () => [], 60_000)).toBe(0);
    expect(await bundles.sweep(async () => [hash], -1)).toBe(0);
    expect(await bundles.sweep(async () => [], -1)).toBe(1);
    expect(await bundles.get(hash)).toBeUndefined();
  });

  it('that a killed platform was about to make is gone at the next start', async () => {
    await writeFile(join(folder, 'bundles', '.new-1'), 'x');
    await createBundles(join(folder, 'bundles'), LIMITS);
    expect(await readdir(join(folder, 'bundles'))).toEqual([]);
  });
});
