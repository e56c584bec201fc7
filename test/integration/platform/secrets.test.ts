import { execFile } from 'node:child_process';
import { open, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Hearth, json, until } from '../../support/hearth.ts';

const BIN = fileURLToPath(new URL('../../../bin/hearth.js', import.meta.url));

let hearth: Hearth;

beforeAll(async () => {
  hearth = await Hearth.start({ settings: { HEARTH_LOG_LEVEL: 'trace' } });
});

afterAll(async () => {
  await hearth?.[Symbol.asyncDispose]();
});

/** Each value is one that occurs nowhere by chance, and that this file can look for. */
let counter = 0;
const newValue = (): string => `s3cret-${process.pid}-${Date.now()}-${counter++}`;

function put(name: string, value: unknown, on = hearth): Promise<Response> {
  return fetch(`${on.api}/secrets/${name}`, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ value }) });
}

async function set(name: string, value: string, on = hearth): Promise<string> {
  const response = await put(name, value, on);
  const text = await response.text();
  expect(response.status, text).toBe(200);
  expect(text).not.toContain(value);
  return value;
}

function remove(name: string, query = ''): Promise<Response> {
  return fetch(`${hearth.api}/secrets/${name}${query}`, { method: 'DELETE' });
}

const call = async (path: string) => (await hearth.call(path)).text();

/** `hearth` as a user types it. */
function cli(args: string[], input = ''): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [BIN, ...args, '--api', hearth.api], (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: stdout + stderr }),
    );
    child.stdin?.end(input);
  });
}

/** Every file of the data folder that has the text in it. */
async function filesWith(text: string, on = hearth): Promise<string[]> {
  const entries = await readdir(on.dataFolder, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    if ((await readFile(path)).includes(text)) found.push(path);
  }
  return found;
}

/** All processes that descend from this one. */
async function descendants(pid: number): Promise<number[]> {
  const children = new Map<number, number[]>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const all: number[] = [];
  for (const next = [...(children.get(pid) ?? [])]; next.length > 0; ) {
    const one = next.pop() as number;
    all.push(one);
    next.push(...(children.get(one) ?? []));
  }
  return all;
}

const HANDLER =
  'import os\nAT_LOAD = os.environ["KEY"]\ndef handler(m, c):\n    return {"load": AT_LOAD, "environment": os.environ["KEY"], "context": c.secrets["KEY"]}\n';
/** Answers with what it was given, by AMQP as scripts do, without a library. */
const SCRIPT = `
import os, pika
connection = pika.BlockingConnection(pika.ConnectionParameters("message_queue"))
headers = dict(line.split(": ", 1) for line in os.environ["HTTP_HEADER"].splitlines())
connection.channel().basic_publish("", headers["X-Correlation-Id"], os.environ["SCRIPT_KEY"])
connection.close()
`;

describe('a secret', () => {
  it('is given to a handler that names it: at load, in its environment, in its context', async () => {
    const value = await set('KEY', newValue());
    await hearth.define('named', HANDLER, { secrets: ['KEY'] });
    expect(JSON.parse(await call('/named'))).toEqual({ load: value, environment: value, context: value });
  });

  it('is given to a script as an environment variable, whatever text it is', async () => {
    await using own = await Hearth.start({ requirements: 'pika==1.3.2\n' });
    const value = `"quoted" 'and'\nlines\t ümläut € 🐴 $(x) \\n ${newValue()}`;
    await set('SCRIPT_KEY', value, own);
    await own.define('script', SCRIPT, { secrets: ['SCRIPT_KEY'] });
    for (let run = 0; run < 3; run++) expect(await (await own.call('/script')).text()).toBe(value);
    // Spare processes were forked ahead by now: they must not answer with what was.
    const next = await set('SCRIPT_KEY', newValue(), own);
    for (let run = 0; run < 3; run++) expect(await (await own.call('/script')).text()).toBe(next);
  });

  it('is shown neither by print(context) nor by a returned context', async () => {
    const value = await set('KEY', newValue());
    await hearth.define('context', 'def handler(m, c):\n    return [str(c), repr(c.secrets), c]\n', { secrets: ['KEY'] });
    const text = await call('/context');
    expect(text).toContain('<secrets: KEY>');
    expect(text).not.toContain(value);
  });

  it('must exist when a function is registered', async () => {
    const response = await hearth.post('/functions', {
      event_type: 'http|GET|/missing',
      function_name: 'missing',
      function_code: HANDLER,
      secrets: ['KEY', 'NOT_THERE', 'NOR_THIS'],
    });
    expect([response.status, await json(response)]).toMatchObject([
      422,
      { code: 'unknown_secret', detail: expect.stringContaining('NOT_THERE, NOR_THIS'), secrets: ['NOT_THERE', 'NOR_THIS'] },
    ]);
    const both = await hearth.post('/functions', {
      event_type: 'http|GET|/both',
      function_name: 'both',
      function_code: HANDLER,
      secrets: ['KEY'],
      environment: { KEY: 'x' },
    });
    expect([both.status, (await json(both)).code]).toEqual([422, 'invalid_request']);
  });

  it.for(['1A', 'A-B', 'A.B', 'a'.repeat(129), 'A%0AB', '..%2FA', '%C3%A4'])('has a name that a variable can have, not %s', async (name) => {
    expect((await put(name, 'value')).status).toBe(422);
  });

  it('can not be read back, and is not told by errors about it', async () => {
    const value = await set('KEY', newValue());
    const shown = await Promise.all(
      ['/secrets', '/functions', '/functions/named', '/functions/named/versions', '/invocations'].map((path) => hearth.get(path)),
    );
    expect(JSON.stringify(shown)).not.toContain(value);
    expect(shown[0]).toMatchObject({
      secrets: expect.arrayContaining([expect.objectContaining({ name: 'KEY', functions: expect.arrayContaining(['named']) })]),
    });
    expect((await fetch(`${hearth.api}/secrets/KEY`)).status).toBe(405);

    const bad = newValue();
    for (const body of [
      `{"value": ${bad}}`,
      `{"value": "${bad}`,
      JSON.stringify({ value: [bad] }),
      JSON.stringify({ value: 'x', [bad]: 1 }).replace(bad, 'other'),
      JSON.stringify({ value: `${bad}\0` }),
    ]) {
      const response = await fetch(`${hearth.api}/secrets/KEY`, { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body });
      const text = await response.text();
      expect([400, 422], text).toContain(response.status);
      expect(text).not.toContain(bad.slice(0, 12));
    }
    expect(hearth.output).not.toContain(bad);
  });
});

describe('another function', () => {
  it('finds it neither in its environment, nor in /proc, nor in its memory', async () => {
    const value = await set('KEY', newValue());
    await hearth.define('named', HANDLER, { secrets: ['KEY'] });
    expect(await call('/named')).toContain(value);
    const snoop = `
import gc, os, sys
def readable(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except OSError:
        return b""
def memory():
    found = []
    for line in open("/proc/self/maps"):
        begin, end = (int(part, 16) for part in line.split()[0].split("-"))
        try:
            with open("/proc/self/mem", "rb") as file:
                file.seek(begin)
                found.append(WANTED in file.read(end - begin))
        except (OSError, ValueError, OverflowError):
            pass
    return found
# Not as it is, which would be found.
WANTED = bytes(reversed(${JSON.stringify([...value].reverse().join(''))}.encode()))[:-4]
def handler(m, c):
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    seen = [readable("/proc/%s/%s" % (pid, what)) for pid in pids for what in ("environ", "cmdline")]
    return {"environment": dict(os.environ), "secrets": list(c.secrets), "proc": any(WANTED in text for text in seen), "scanned": len(seen), "code": readable("/data/secrets.key").decode()}
`;
    await hearth.define('snoop', snoop);
    const seen = (await json(await hearth.call('/snoop'))) as { environment: object; secrets: string[]; proc: boolean; scanned: number };
    expect(seen).toMatchObject({ secrets: [], proc: false });
    expect(seen.scanned).toBeGreaterThan(0);
    expect(seen.environment).not.toHaveProperty('KEY');
    expect(JSON.stringify(seen)).not.toContain(value);
  });

  it.runIf(process.getuid?.() === 0)('shares no process with it: only the instances of the one that names it have it in memory', async () => {
    const value = await set('ALONE', newValue());
    await hearth.define('alone', HANDLER.replaceAll('KEY', 'ALONE'), { secrets: ['ALONE'] });
    await hearth.define('other', 'def handler(m, c):\n    return 1\n');
    expect(await call('/alone')).toContain(value);
    await call('/other');
    /** Their pid namespaces, of which each sandbox has one. */
    const holders = new Set<string>();
    const namespaces = new Set<string>();
    const all = await descendants(hearth.child.pid as number);
    for (const pid of all) {
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      const cmdline = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
      expect(environment + cmdline).not.toContain(value);
      // One that has ended in the meantime holds nothing.
      const namespace = await readlink(`/proc/${pid}/ns/pid`).catch(() => null);
      if (namespace === null) continue;
      namespaces.add(namespace);
      if (await memoryHas(pid, value)) holders.add(namespace);
    }
    expect(holders.size, 'sandboxes that have it').toBe(1);
    expect(namespaces.size, 'there are others to look at: zygote, pool, the other function').toBeGreaterThan(3);
  });
});

describe('what is written down', () => {
  it('has no value in it: not the data folder, not the log, not after a kill -9', async () => {
    await using own = await Hearth.start({ settings: { HEARTH_LOG_LEVEL: 'trace' } });
    const values = [await set('KEY', newValue(), own)];
    const code = `${HANDLER.replace('return', 'print("it is", AT_LOAD)\n    if m["query"].get("fail"): raise ValueError("bad " + AT_LOAD)\n    return')}`;
    await own.define('loud', code, { secrets: ['KEY'] });
    expect(await (await own.call('/loud')).text()).toContain(values[0]);
    const failed = await own.call('/loud?fail=1');
    const problem = await failed.text();
    expect(failed.status).toBe(502);
    expect(problem).toContain('bad ***');
    expect(problem).not.toContain(values[0]);
    const record = await own.record(failed);
    expect(record.logs).toContain('it is ***');
    expect(JSON.stringify(record)).not.toContain(values[0]);
    // A load that fails quotes it too.
    await own.define('unloadable', 'import os\nprint(os.environ["KEY"])\nraise ValueError(os.environ["KEY"])\ndef handler(m, c): pass\n', {
      secrets: ['KEY'],
    });
    const unloadable = await (await own.call('/unloadable')).text();
    expect(unloadable).toContain('ValueError: ***');
    expect(unloadable).not.toContain(values[0]);

    values.push(await set('KEY', newValue(), own));
    expect((await fetch(`${own.api}/secrets/rotate-key`, { method: 'POST' })).status).toBe(200);
    expect(await (await own.call('/loud')).text()).toContain(values[1]);
    await until(async () => ((await own.get('/invocations?limit=10')) as { invocations: unknown[] }).invocations.length >= 4);
    // The files as a kill leaves them, with the write-ahead log.
    await own.stop('SIGKILL');
    expect(await filesWith('INSERT INTO secrets', own)).toEqual([]);
    expect((await filesWith('loud', own)).length, 'the search finds what is there').toBeGreaterThan(0);
    for (const value of values) {
      expect(await filesWith(value, own)).toEqual([]);
      expect(own.output).not.toContain(value);
    }
  });

  it('masks a value that was printed in two pieces', async () => {
    const value = await set('KEY', newValue());
    const code =
      'import os, sys, time\ndef handler(m, c):\n    v = c.secrets["KEY"]\n    os.write(1, v[:9].encode())\n    time.sleep(0.2)\n    os.write(1, v[9:].encode())\n    return 1\n';
    await hearth.define('pieces', code, { secrets: ['KEY'] });
    const record = await hearth.record(await hearth.call('/pieces'));
    const { id } = (await hearth.instances('pieces'))[0] as { id: string };
    const logs = await (await fetch(`${hearth.api}/functions/instances/${id}/logs`)).text();
    expect(logs + record.logs).toContain('***');
    expect(logs + record.logs).not.toContain(value.slice(0, 9));
  });
});

describe('another value', () => {
  it('reaches every call that comes after it was set, and loses none that is under way', async () => {
    const old = await set('KEY', newValue());
    const code = `${HANDLER.replace('return', 'import time\n    time.sleep(float(m["query"].get("sleep", "0")))\n    return')}`;
    await hearth.define('changing', code, { secrets: ['KEY'], concurrency: 1 });
    const underWay = [hearth.call('/changing?sleep=1'), hearth.call('/changing?sleep=1')];
    await until(async () => (await hearth.instances('changing')).filter(({ state }) => state === 'busy').length === 2);
    const value = await set('KEY', newValue());
    for (let index = 0; index < 5; index++) expect(JSON.parse(await call('/changing'))).toEqual({ load: value, environment: value, context: value });
    for (const response of await Promise.all(underWay)) expect([response.status, (await json(response)).load]).toEqual([200, old]);
    await until(async () => (await hearth.instances('changing')).every(({ state }) => state !== 'draining'));
  });

  it('loses no call while it changes again and again under load', async () => {
    await set('KEY', newValue());
    await hearth.define('loaded', HANDLER, { secrets: ['KEY'] });
    let stopped = false;
    const statuses: number[] = [];
    const lanes = Array.from({ length: 4 }, async () => {
      while (!stopped) {
        const response = await hearth.call('/loaded');
        statuses.push(response.status);
        await response.arrayBuffer();
      }
    });
    for (let change = 0; change < 20; change++) {
      const before = statuses.length;
      await set('KEY', newValue());
      await until(() => statuses.length > before + 4);
    }
    stopped = true;
    await Promise.all(lanes);
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(statuses.length).toBeGreaterThan(80);
  });

  it('mends at once a function whose load failed for the old one, though starts had backed off', async () => {
    await set('GATE', 'closed-for-now');
    await hearth.define('gated', 'import os\nassert os.environ["GATE"] == "open-at-last"\ndef handler(m, c):\n    return "in"\n', {
      secrets: ['GATE'],
    });
    for (let index = 0; index < 6; index++) expect((await hearth.call('/gated')).status).toBe(502);
    await set('GATE', 'open-at-last');
    expect(await call('/gated')).toBe('in');
  });

  it('replaces nothing when it is the same', async () => {
    const value = await set('KEY', newValue());
    await hearth.define('same', HANDLER, { secrets: ['KEY'] });
    await call('/same');
    const before = await hearth.instances('same');
    const answer = await json(await put('KEY', value));
    expect(answer).toMatchObject({ changed: false });
    expect((await hearth.instances('same')).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    expect((await hearth.call('/same')).headers.get('x-hearth-start')).toBe('warm');
  });
});

describe('a deletion', () => {
  it('is refused while a version in service names it, and allowed once none does', async () => {
    await set('ONCE', newValue());
    await hearth.define('user', HANDLER.replaceAll('KEY', 'ONCE'), { secrets: ['ONCE'] });
    const refused = await remove('ONCE');
    expect([refused.status, await json(refused)]).toMatchObject([
      409,
      { code: 'conflict', functions: ['user'], detail: expect.stringContaining('user') },
    ]);
    // A version that a split keeps in service counts.
    await hearth.define('user', 'def handler(m, c):\n    return 2\n');
    const split = { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ weights: { 1: 50, 2: 50 } }) };
    expect((await fetch(`${hearth.api}/functions/user/traffic`, split)).status).toBe(200);
    expect((await remove('ONCE')).status).toBe(409);
    await fetch(`${hearth.api}/functions/user/traffic`, { method: 'DELETE' });
    expect(await json(await remove('ONCE'))).toEqual({ status: 'ok', deleted: true });
    expect(await json(await remove('ONCE'))).toEqual({ status: 'ok', deleted: false });
    // Back to a version that can't be started any more.
    const rollback = await hearth.post('/functions/user/rollback', { version: 1 });
    expect([rollback.status, (await json(rollback)).detail]).toEqual([409, expect.stringContaining('ONCE')]);
  });

  it('of the function leaves the secret, which nobody uses then', async () => {
    await set('KEPT', newValue());
    await hearth.define('gone', HANDLER.replaceAll('KEY', 'KEPT'), { secrets: ['KEPT'] });
    expect((await remove('KEPT')).status).toBe(409);
    await fetch(`${hearth.api}/functions/gone`, { method: 'DELETE' });
    const { secrets } = (await hearth.get('/secrets')) as { secrets: { name: string; functions: string[] }[] };
    expect(secrets.find(({ name }) => name === 'KEPT')).toMatchObject({ functions: [] });
    expect((await remove('KEPT')).status).toBe(200);
  });

  it('by force ends the instances that have it, and says why others do not start', async () => {
    const value = await set('FORCED', newValue());
    await hearth.define('forced', HANDLER.replaceAll('KEY', 'FORCED'), { secrets: ['FORCED'] });
    expect(await call('/forced')).toContain(value);
    expect((await remove('FORCED', '?force=true')).status).toBe(200);
    const response = await hearth.call('/forced');
    expect([response.status, await json(response)]).toMatchObject([502, { code: 'function_load_failed', detail: expect.stringContaining('FORCED') }]);
    const again = await set('FORCED', newValue());
    expect(await call('/forced')).toContain(again);
  });
});

describe('the key', () => {
  it('is changed while functions run, which notice nothing, and survives a restart', async () => {
    const own = await Hearth.start();
    try {
      const value = await set('KEY', newValue(), own);
      await own.define('named', HANDLER, { secrets: ['KEY'] });
      await own.call('/named');
      const before = await own.instances('named');
      const key = await readFile(join(own.dataFolder, 'secrets.key'), 'utf8');
      expect(await json(await fetch(`${own.api}/secrets/rotate-key`, { method: 'POST' }))).toMatchObject({ status: 'ok', secrets: 1 });
      expect(await readFile(join(own.dataFolder, 'secrets.key'), 'utf8')).not.toBe(key);
      expect((await own.instances('named')).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
      await own.stop();
      await using again = await Hearth.start({ dataFolder: own.dataFolder });
      expect(await (await again.call('/named')).text()).toContain(value);
      await again.stop();

      await expect(
        Hearth.start({ dataFolder: own.dataFolder, settings: { HEARTH_SECRETS_KEY: Buffer.alloc(32).toString('base64') } }),
      ).rejects.toThrow(/did not start \(exit code 1\)[\s\S]*is not the one that they are encrypted with: KEY needs/);
    } finally {
      await own[Symbol.asyncDispose]();
    }
  });
});

describe('hearth secrets', () => {
  it('sets from standard input and from files, lists and deletes', async () => {
    const value = newValue();
    expect(await cli(['secrets', 'set', 'FROM_CLI'], `${value}\n`)).toEqual({
      code: 0,
      output: 'The secret FROM_CLI is set (version 1; no function names it yet).\n',
    });
    await hearth.define('cli', HANDLER.replaceAll('KEY', 'FROM_CLI'), { secrets: ['FROM_CLI'] });
    expect(JSON.parse(await call('/cli'))).toMatchObject({ load: value });
    const file = join(hearth.dataFolder, 'value.txt');
    await writeFile(file, 'two\nlines\n');
    expect((await cli(['secrets', 'set', 'FROM_CLI', '--from-file', file])).output).toContain('version 2; named by cli');
    expect(JSON.parse(await call('/cli'))).toMatchObject({ load: 'two\nlines\n' });
    expect((await cli(['secrets'])).output).toMatch(/^FROM_CLI {2,}2 {2,}\S+ {2,}cli$/m);
    expect(await cli(['secrets', 'delete', 'FROM_CLI'])).toMatchObject({ code: 1, output: expect.stringContaining('named by cli') });
    expect((await cli(['secrets', 'delete', 'FROM_CLI', '--force'])).code).toBe(0);
    // There is no place for a value among the arguments.
    expect((await cli(['secrets', 'set', 'FROM_CLI', 'value'])).code).toBe(2);
  });
});

async function memoryHas(pid: number, text: string): Promise<boolean> {
  const maps = await readFile(`/proc/${pid}/maps`, 'latin1').catch(() => '');
  const memory = await open(`/proc/${pid}/mem`, 'r').catch(() => undefined);
  if (!memory) return false;
  try {
    for (const line of maps.split('\n')) {
      const [, begin, end, access] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? [];
      if (!begin || !end || !access?.startsWith('rw')) continue;
      const [from, to] = [Number.parseInt(begin, 16), Number.parseInt(end, 16)];
      if (to - from > 256 * 1024 * 1024) continue;
      const { buffer, bytesRead } = await memory
        .read(Buffer.alloc(to - from), 0, to - from, from)
        .catch(() => ({ buffer: Buffer.alloc(0), bytesRead: 0 }));
      if (buffer.subarray(0, bytesRead).includes(text)) return true;
    }
    return false;
  } finally {
    await memory.close();
  }
}
