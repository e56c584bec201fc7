import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parsePosition } from '../log-position.ts';
import { putRecord, RecordKind, recordBytes } from '../output-records.ts';
import { LogService, type WriteResult } from './log-service.ts';
import type { LogThreadData } from './messages.ts';

const START = 1_764_000_000_000;
const HOUR = 3600_000;

let folder: string;
let now: number;
let service: LogService;

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'hearth-logs-')), 'logs');
  now = START;
  service = open();
});
afterEach(async () => {
  await service.close();
  await rm(join(folder, '..'), { recursive: true, force: true });
});

function open(settings: Partial<LogThreadData> = {}): LogService {
  return new LogService(
    {
      folder,
      maxBytes: 1024 * 1024,
      segmentBytes: 1024 * 1024,
      keepMs: 80 * HOUR,
      maxLineChars: 1000,
      maxBytesPerS: 1024 * 1024,
      maxBehindBytes: 1024 * 1024,
      ...settings,
    },
    () => now,
  );
}

/** As the event loop hands it over. */
function write(text: string, functionName = 'f', correlationId = 'c'): Promise<WriteResult> {
  const description = Buffer.from(JSON.stringify({ functionName, version: 1, instanceId: 'i', secrets: [] }));
  const buffer = Buffer.alloc(recordBytes('', description.length) + recordBytes(correlationId, Buffer.byteLength(text)));
  const next = putRecord(buffer, 0, RecordKind.Source, 1, now, '', description);
  return service.write(buffer, putRecord(buffer, next, RecordKind.Stdout, 1, now, correlationId, Buffer.from(text)));
}

const search = async (query: Parameters<LogService['search']>[0]) => (await service.search(query)).lines.map(({ message }) => message);
const files = async () => (await readdir(folder)).sort();
const signal = new AbortController().signal;
const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => `line ${from + n}`);

describe('the log on the disk', () => {
  it('can be read by nobody else, and is there after a restart, without the line that a kill has torn', async () => {
    expect(await write('one\ntwo\n')).toMatchObject({ lines: 2, dropped: 0, error: null });
    const [file = ''] = await files();
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
    await appendFile(join(folder, file), '{"time":1764000000000,"message":"to');
    // As after a kill: the one before never closed it.
    service = open();
    await write('three\n');
    expect(await search({ limit: 10 })).toEqual(['three', 'two', 'one']);
    expect((await readFile(join(folder, file), 'utf8')).split('\n')).toHaveLength(4);
  });

  it('passes over what is damaged', async () => {
    await write('one\n');
    const [file = ''] = await files();
    await appendFile(join(folder, file), 'no json\n\u0000\u0000\n');
    service = open();
    await write('two\n');
    expect(await search({ limit: 10 })).toEqual(['two', 'one']);
  });

  it('keeps to its bound by deleting the oldest file', async () => {
    service = open({ maxBytes: 40_000 });
    for (let n = 0; n < 40; n++) await write(`${numbered(n * 10, n * 10 + 10).join('\n')}\n`);
    const sizes = await Promise.all((await files()).map(async (name) => (await stat(join(folder, name))).size));
    expect(sizes.length).toBeGreaterThan(2);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(50_000);
    const kept = await search({ limit: 1000 });
    expect(kept).toEqual(numbered(400 - kept.length, 400).reverse());
    expect(kept.length).toBeGreaterThan(100);
  });

  it('begins a new file after a while, and forgets what is old', async () => {
    await write('old\n');
    now += 11 * HOUR;
    await write('newer\n');
    expect(await files()).toHaveLength(2);
    now += 75 * HOUR;
    await service.prune();
    expect(await search({ limit: 10 })).toEqual(['newer']);
    now += 10 * HOUR;
    await service.prune();
    expect(await files()).toEqual([]);
    await write('again\n');
    expect(await search({ limit: 10 })).toEqual(['again']);
  });

  it('drops and counts what can not be written, and goes on when it can', async () => {
    await writeFile(folder, 'a file in its place');
    expect(await write('lost\nlost too\n')).toMatchObject({ lines: 0, dropped: 2, error: expect.stringContaining('EEXIST') });
    await expect(service.search({ limit: 1 })).rejects.toThrow();
    await rm(folder);
    now += 10_000;
    expect(await write('kept\n')).toMatchObject({ lines: 1, dropped: 0 });
    expect(await search({ limit: 10 })).toEqual(['kept']);
  });
});

it('leaves out what a function prints beyond its rate, and says so', async () => {
  service = open({ maxBytesPerS: 2000, maxBytes: 16_000 });
  const { lines, dropped } = await write(`${numbered(0, 100).join('\n')}\n`);
  expect(lines).toBeGreaterThan(0);
  expect(lines + dropped).toBe(100);
  expect(await write('of another\n', 'g')).toMatchObject({ lines: 1, dropped: 0 });
  now += 60_000;
  await write('later\n');
  expect((await search({ limit: 2 })).join()).toMatch(new RegExp(`^later,${dropped} lines before this were left out`));
});

describe('looking for lines', () => {
  it('goes from page to page, over files, to the beginning', async () => {
    service = open({ segmentBytes: 3000 });
    for (let n = 0; n < 10; n++) await write(`${numbered(n * 5, n * 5 + 5).join('\n')}\n`, n % 2 ? 'odd' : 'even');
    expect((await files()).length).toBeGreaterThan(2);
    const found: string[] = [];
    let before: { segment: number; offset: number } | null | undefined;
    while (before !== null) {
      const page = await service.search({ limit: 7, before, functionName: 'odd' });
      found.push(...page.lines.map(({ message }) => message));
      before = page.next;
    }
    expect(found).toEqual(
      numbered(0, 50)
        .filter((_, n) => Math.floor(n / 5) % 2 === 1)
        .reverse(),
    );
  });

  it('takes all that is asked for together', async () => {
    await write('{"level":"warn","msg":"low","sku":"A-7"}\nplain\n', 'f', 'c1');
    now += 1000;
    await write('{"level":"error","msg":"gone","sku":"B-8"}\n', 'f', 'c2');
    await write('{"level":"error","msg":"gone"}\n', 'g', 'c3');
    expect(await search({ limit: 10, level: 'warn' })).toEqual(['gone', 'gone', 'low']);
    expect(await search({ limit: 10, level: 'error', functionName: 'f' })).toEqual(['gone']);
    expect(await search({ limit: 10, correlationId: 'c1', contains: 'a-7' })).toEqual(['low']);
    expect(await search({ limit: 10, until: START + 1000 })).toEqual(['plain', 'low']);
    expect(await search({ limit: 10, since: START + 1000, functionName: 'g' })).toEqual(['gone']);
    expect(await search({ limit: 10, instanceId: 'another' })).toEqual([]);
  });
});

describe('following', () => {
  it('waits for what comes, and goes on behind a line', async () => {
    await write('before\n');
    const waiting = service.follow({ from: 'end', contains: 'two' }, 60_000, signal);
    await write('one\n');
    await write('two\nthree\n');
    const { lines, position } = await waiting;
    expect(lines.map(({ message }) => message)).toEqual(['two']);
    expect(await service.follow({ from: position, contains: 'two' }, 0, signal)).toMatchObject({ lines: [], leftOutBytes: 0 });
    const seen = (await service.search({ limit: 10 })).lines.find(({ message }) => message === 'one')?.id as string;
    const again = await service.follow({ from: parsePosition(seen) ?? 'end', seen }, 0, signal);
    expect(again.lines.map(({ message }) => message)).toEqual(['two', 'three']);
  });

  it('ends at once when nobody waits any more', async () => {
    const gone = new AbortController();
    const waiting = service.follow({ from: 'end' }, 600_000, gone.signal);
    gone.abort();
    expect((await waiting).lines).toEqual([]);
  });

  it('tells who is too far behind what was left out', async () => {
    service = open({ maxBehindBytes: 2000 });
    await write('first\n');
    const { position } = await service.follow({ from: 'end' }, 0, signal);
    await write(`${numbered(0, 100).join('\n')}\n`);
    const late = await service.follow({ from: position }, 0, signal);
    expect(late.lines).toEqual([]);
    expect(late.leftOutBytes).toBeGreaterThan(2000);
    await write('after\n');
    expect((await service.follow({ from: late.position }, 0, signal)).lines.map(({ message }) => message)).toEqual(['after']);
  });
});
