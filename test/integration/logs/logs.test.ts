import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventsOf } from '../../../src/client/event-stream.ts';
import type { LogLine } from '../../../src/schemas/log-line.ts';
import { Hearth, until } from '../../support/hearth.ts';

const TALKER = `
import json, sys
print("loaded")

def handler(message, context):
    body = message["body"] or {}
    print("plain", body.get("n"))
    print("to stderr", file=sys.stderr)
    context.logger.warning("from the logger")
    print(json.dumps({"level": "debug", "msg": "structured", "sku": "A-7"}))
    print("the password is", context.secrets["LOG_PASSWORD"])
    print("no end", end="")
    if body.get("fail"):
        raise ValueError("as asked")
    return {"ok": True}
`;
const SCRIPT = `
import os
print("a script", flush=True)
if os.fork() == 0:
    os.write(1, b"its child\\n")
    os._exit(0)
os.wait()
`;
const PASSWORD = 'correct-horse-battery';

describe('what functions print', () => {
  let hearth: Hearth;

  beforeAll(async () => {
    hearth = await Hearth.start();
    await fetch(`${hearth.api}/secrets/LOG_PASSWORD`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ value: PASSWORD }),
    });
    await hearth.define('talker', TALKER, { secrets: ['LOG_PASSWORD'] });
    await hearth.define('script', SCRIPT);
  });
  afterAll(() => hearth[Symbol.asyncDispose]());

  async function lines(query: string): Promise<LogLine[]> {
    return ((await hearth.get(`/logs?${query}`)) as { lines: LogLine[] }).lines;
  }

  async function callTalker(body: unknown): Promise<{ id: string; instance: string }> {
    const response = await hearth.call('/talker', { method: 'POST', body: JSON.stringify(body) });
    await response.text();
    return { id: response.headers.get('x-correlation-id') as string, instance: response.headers.get('x-serverless-instance-id') as string };
  }

  it('is kept by call, with stream, level and fields, and without secrets', async () => {
    const { id, instance } = await callTalker({ n: 1 });
    const found = await until(async () => {
      const some = await lines(`correlation_id=${id}`);
      return some.length >= 6 && some;
    });
    expect(found.map(({ stream, level, message, fields }) => [stream, level, message, fields]).reverse()).toEqual(
      expect.arrayContaining([
        ['stdout', 'info', 'plain 1', null],
        ['stderr', 'error', 'to stderr', null],
        ['log', 'warn', 'from the logger', null],
        ['log', 'debug', 'structured', { sku: 'A-7' }],
        ['stdout', 'info', 'the password is ***', null],
        ['stdout', 'info', 'no end', null],
      ]),
    );
    expect(found.every((line) => line.instance_id === instance && line.function_name === 'talker' && line.version === 1)).toBe(true);
    const outside = await lines(`instance_id=${instance}&contains=LOADED`);
    expect(outside).toMatchObject([{ correlation_id: null, message: 'loaded' }]);
    const folder = join(hearth.dataFolder, 'logs');
    const files = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
    expect(files.join('')).toContain('the password is ***');
    expect(files.join('')).not.toContain(PASSWORD);
  });

  it('is searched by function, level, time and text, a page at a time', async () => {
    const before = Date.now();
    const calls: { id: string }[] = [];
    for (let n = 0; n < 3; n++) calls.push(await callTalker({ n }));
    await until(async () => (await lines(`correlation_id=${calls[2]?.id}`)).length >= 6);
    const warnings = await lines(`function=talker&level=warn&since=${before}`);
    expect(new Set(warnings.map(({ message }) => message))).toEqual(new Set(['from the logger', 'to stderr']));
    expect(warnings).toHaveLength(6);
    expect(await lines(`function=talker&until=${before}&contains=plain%202`)).toEqual([]);

    const paged: LogLine[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = (await hearth.get(`/logs?since=${before}&limit=4${cursor && `&cursor=${cursor}`}`)) as {
        lines: LogLine[];
        next_cursor: string | null;
      };
      expect(page.lines.length).toBeLessThanOrEqual(4);
      paged.push(...page.lines);
      cursor = page.next_cursor;
    }
    expect(paged.map(({ id }) => id)).toEqual((await lines(`since=${before}`)).map(({ id }) => id));
    expect((await fetch(`${hearth.api}/logs?cursor=nonsense`)).status).toBe(422);
    expect((await fetch(`${hearth.api}/logs?level=loud`)).status).toBe(422);
  });

  it('is followed as it comes, and again from where it broke off', async () => {
    const first = new AbortController();
    const response = await fetch(`${hearth.api}/logs/tail?function=talker&contains=plain&last=1`, { signal: first.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const events = eventsOf(response);
    const next = async (from: typeof events) => JSON.parse(((await from.next()).value as { data: string }).data) as LogLine;
    expect((await next(events)).message).toMatch(/^plain/);
    await callTalker({ n: 'live' });
    const live = await next(events);
    expect(live.message).toBe('plain live');
    first.abort();

    await callTalker({ n: 'meanwhile' });
    const again = new AbortController();
    const resumed = eventsOf(
      await fetch(`${hearth.api}/logs/tail?function=talker&contains=plain`, { headers: { 'Last-Event-ID': live.id }, signal: again.signal }),
    );
    expect((await next(resumed)).message).toBe('plain meanwhile');
    again.abort();
  });

  it('tells how a call failed, and has what a script and its children print', async () => {
    const { id } = await callTalker({ fail: true });
    const [failure] = await until(async () => {
      const found = (await lines(`correlation_id=${id}&contains=as%20asked`)).filter(({ stream }) => stream === 'log');
      return found.length > 0 && found;
    });
    expect(failure).toMatchObject({ stream: 'log', level: 'error', fields: { code: 'function_failed' } });
    expect(failure?.message).toBe('The function talker failed: ValueError: as asked');
    expect((await lines(`correlation_id=${id}&level=error`)).map(({ message }) => message)).toContain('Traceback (most recent call last):');
    await (await hearth.call('/script')).text();
    await until(async () => (await lines('function=script')).length >= 2);
    expect(new Set((await lines('function=script')).map(({ message }) => message))).toEqual(new Set(['a script', 'its child']));
  });

  it('is told to the callers of a call that failed only where the function lets it', async () => {
    const silent = (await (await hearth.call('/talker', { method: 'POST', body: '{"fail": true}' })).json()) as Record<string, unknown>;
    expect(silent).toMatchObject({ code: 'function_failed' });
    expect(JSON.stringify(silent)).not.toMatch(/plain|from the logger/);

    const talker = TALKER.replace('body.get("fail")', 'print("\\n".join(str(n) for n in range(30))) or True');
    await hearth.define('open-talker', talker, { secrets: ['LOG_PASSWORD'], error_logs: true });
    const open = (await (await hearth.call('/open-talker', { method: 'POST', body: '{"n": 5}' })).json()) as { logs: string[] };
    expect(open.logs).toHaveLength(20);
    expect(open.logs).toEqual(expect.arrayContaining(['28', '29', 'ValueError: as asked']));
    expect(open.logs).not.toContain('5');

    const failing = 'import os\nos.write(2, b"on the way\\n")\nos._exit(3)\ndef handler(message, context): pass\n';
    await hearth.define('starting', failing);
    await hearth.define('open-starting', failing, { error_logs: true });
    const [closed, shown] = await Promise.all(
      ['/starting', '/open-starting'].map(async (path) => (await (await hearth.call(path)).json()) as { code: string; logs?: string[] }),
    );
    expect(closed).toMatchObject({ code: 'function_load_failed' });
    expect(JSON.stringify(closed)).not.toContain('on the way');
    expect(shown?.logs).toEqual(['on the way']);
    await until(async () => (await lines('function=starting&level=error')).some(({ fields }) => fields?.code === 'function_load_failed'));
  });

  it('has its followers end when the platform does, and is there for the next one', async () => {
    const tail = eventsOf(await fetch(`${hearth.api}/logs/tail?function=talker&last=1`));
    expect((await tail.next()).done).toBe(false);
    hearth.child.kill('SIGTERM');
    await once(hearth.child, 'exit');
    let ended = await tail.next();
    while (!ended.done) ended = await tail.next();
    const folder = join(hearth.dataFolder, 'logs');
    const [name = ''] = await readdir(folder);
    const kept = (await readFile(join(folder, name), 'utf8')).trimEnd().split('\n');
    expect(kept.map((line) => (JSON.parse(line) as LogLine).message)).toEqual(expect.arrayContaining(['loaded', 'plain 1', 'no end']));
  });
});
