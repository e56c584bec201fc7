import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth } from '../../support/hearth.ts';

const run = promisify(execFile);

const HANDLER = {
  'src/app.py':
    'import os\nfrom pathlib import Path\nimport shop\nfrom shop.prices import price\nfrom . import neighbour\n\ndef handler(message, context):\n' +
    '    data = (Path(__file__).parent.parent / "data.txt").read_text()\n' +
    '    return {"price": price(2), "data": data, "here": open("data.txt").read(), "file": __file__, "mode": os.environ["MODE"], "version": shop.VERSION, "near": neighbour.NAME}\n',
  'src/__init__.py': '',
  'src/neighbour.py': 'NAME = "next door"\n',
  'shop/__init__.py': 'VERSION = 1\n',
  'shop/prices.py': 'def price(n):\n    return n * 21\n',
  'data.txt': 'forty-two',
};

const SCRIPT = {
  'main.py':
    'import os\nfrom pathlib import Path\nfrom parts.say import say\nsay(Path(__file__).with_name("word.txt").read_text())\n' +
    'assert os.access("tool", os.X_OK) and not os.access("word.txt", os.X_OK)\n',
  'parts/say.py': 'import json\ndef say(word):\n    print(json.dumps({"said": word}))\n',
  'word.txt': 'hello',
  tool: '#!/bin/true\n',
};

let hearth: Hearth;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-bundles-'));
  hearth = await Hearth.start();
});

afterAll(async () => {
  await hearth[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function archive(name: string, files: Record<string, string>): Promise<string> {
  const from = await mkdtemp(join(folder, 'files-'));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(from, path)), { recursive: true });
    await writeFile(join(from, path), content, { mode: path === 'tool' ? 0o755 : 0o644 });
  }
  const target = join(folder, name);
  const zip =
    'import os, sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:\n for f, _, names in os.walk("."):\n  for n in names: z.write(os.path.join(f, n))';
  if (name.endsWith('.zip')) await run('python3', ['-c', zip, target], { cwd: from });
  else await run('tar', ['-czf', target, '-C', from, '.']);
  return target;
}

/** As the documentation has it. */
async function upload(file: string, type = 'application/zip'): Promise<{ status: number; body: Record<string, unknown> }> {
  const { stdout } = await run('curl', [
    '-s',
    '-w',
    '\n%{http_code}',
    '--data-binary',
    `@${file}`,
    '-H',
    `Content-Type: ${type}`,
    `${hearth.api}/bundles`,
  ]);
  const [body = '', status] = stdout.split(/\n(?=\d+$)/);
  return { status: Number(status), body: JSON.parse(body) };
}

async function register(definition: object): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${hearth.api}/functions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(definition),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const call = async (path: string) => fetch(`${hearth.gateway}${path}`);

describe('a bundle', () => {
  it('that comes as files in JSON runs as a handler, with its packages and data', async () => {
    const registered = await register({
      ...{ event_type: 'http|GET|/shop', function_name: 'shop', files: HANDLER, entry: 'src/app.py', environment: { MODE: 'test' } },
    });
    expect(registered).toMatchObject({ status: 200, body: { created: true, version: 1, style: 'handler' } });
    const expected = { price: 42, data: 'forty-two', here: 'forty-two', file: '/function/src/app.py', mode: 'test', version: 1, near: 'next door' };
    expect(await (await call('/shop')).json()).toEqual(expected);
  });

  it('is the same version when its files are the same, however they came', async () => {
    const zip = await upload(await archive('shop.zip', HANDLER));
    const tar = await upload(await archive('shop.tar.gz', HANDLER), 'application/gzip');
    expect([zip.status, tar.status]).toEqual([201, 201]);
    expect(zip.body).toEqual(tar.body);
    const again = await register({
      ...{ event_type: 'http|GET|/shop', function_name: 'shop', bundle: zip.body.bundle, entry: 'src/app.py', environment: { MODE: 'test' } },
    });
    expect(again.body).toMatchObject({ created: false, version: 1 });
  });

  it('runs as a script, from an archive, and keeps what may be executed so', async () => {
    const { body } = await upload(await archive('script.tar.gz', SCRIPT), 'application/gzip');
    expect((await register({ event_type: 'http|GET|/script', function_name: 'script', bundle: body.bundle })).body).toMatchObject({
      style: 'script',
    });
    const response = await call('/script');
    expect(await response.text()).toBe('');
    expect(response.status).toBe(204);
  });

  it('runs in a sandbox that bubblewrap makes', async () => {
    await register({
      event_type: 'http|GET|/on-host',
      function_name: 'on-host',
      files: HANDLER,
      entry: 'src/app.py',
      environment: { MODE: 'x' },
      network: 'host',
    });
    expect(await (await call('/on-host')).json()).toMatchObject({ price: 42, data: 'forty-two' });
  });

  it('of several megabytes comes to the function whole', async () => {
    const bytes = Buffer.alloc(5 * 1024 * 1024, 'hearth');
    const code = 'import hashlib\ndef handler(message, context):\n    return hashlib.sha256(open("big.bin", "rb").read()).hexdigest()\n';
    const { body } = await upload(await archive('big.zip', { 'main.py': code, 'big.bin': bytes.toString() }));
    await register({ event_type: 'http|GET|/big', function_name: 'big', bundle: body.bundle });
    const sum = (await run('sha256sum', [await writeTo('big.bin', bytes)])).stdout.split(' ')[0];
    expect(await (await call('/big')).text()).toContain(sum);
  });

  it('is updated, rolled back and given back', async () => {
    const next = { ...HANDLER, 'shop/__init__.py': 'VERSION = 2\n' };
    const base = { event_type: 'http|GET|/shop', function_name: 'shop', entry: 'src/app.py', environment: { MODE: 'test' } };
    expect((await register({ ...base, files: next })).body).toMatchObject({ created: true, version: 2 });
    expect(await (await call('/shop')).json()).toMatchObject({ version: 2 });
    const back = await fetch(`${hearth.api}/functions/shop/rollback`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"version": 1}',
    });
    expect(back.status).toBe(200);
    expect(await (await call('/shop')).json()).toMatchObject({ version: 1 });
    const given = await fetch(`${hearth.api}/functions/shop/versions/2/bundle`);
    expect(given.headers.get('content-type')).toBe('application/gzip');
    const file = await writeTo('given.tar.gz', Buffer.from(await given.arrayBuffer()));
    expect((await run('tar', ['-xzOf', file, 'shop/__init__.py'])).stdout).toBe('VERSION = 2\n');
    expect(gunzipSync(await readFile(file)).length % 512).toBe(0);
  });

  it('tells what is wrong with it', async () => {
    const wrong = { event_type: 'http|GET|/wrong', function_name: 'wrong' };
    expect((await register(wrong)).body).toMatchObject({ code: 'invalid_request' });
    expect((await register({ ...wrong, bundle: '0'.repeat(64) })).body).toMatchObject({ code: 'unknown_bundle', status: 422 });
    expect((await register({ ...wrong, files: { 'a.py': 'x' } })).body).toMatchObject({
      code: 'invalid_bundle',
      detail: expect.stringContaining('"main.py"'),
    });
    expect((await register({ ...wrong, files: { '../main.py': 'x' } })).body).toMatchObject({ code: 'invalid_bundle' });
    expect((await register({ ...wrong, files: { 'main.py': 'def (' } })).body).toMatchObject({ code: 'invalid_code' });
    const text = await writeTo('no-archive.zip', Buffer.from('hello'));
    expect(await upload(text)).toMatchObject({ status: 422, body: { code: 'invalid_bundle' } });
    expect(await upload(text, 'text/plain')).toMatchObject({ status: 415 });
  });
});

describe('bundles in the data folder', () => {
  it('outlive a kill -9; what no version names and what was half made is gone after the next start', async () => {
    const kept = join(hearth.dataFolder, 'bundles');
    const { body } = await upload(await archive('unnamed.zip', { 'main.py': 'unnamed = 1\n' }));
    await writeFile(join(kept, '.new-half'), 'half');
    expect(await readdir(kept)).toContain(`${body.bundle}.bundle`);
    await fetch(`${hearth.api}/functions/big`, { method: 'DELETE' });
    hearth.child.kill('SIGKILL');
    await new Promise((resolve) => hearth.child.once('exit', resolve));
    const next = await Hearth.start({ dataFolder: hearth.dataFolder });
    try {
      const names = await readdir(kept);
      expect(names).not.toContain(`${body.bundle}.bundle`);
      expect(names).not.toContain('.new-half');
      expect(names.length).toBeGreaterThan(2);
      expect(await (await fetch(`${next.gateway}/shop`)).json()).toMatchObject({ version: 1, data: 'forty-two' });
    } finally {
      await next[Symbol.asyncDispose]();
    }
  });
});

async function writeTo(name: string, bytes: Buffer): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, bytes);
  await utimes(file, 1, 1);
  return file;
}
