import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ThreadedOutputLog } from './output-log.ts';

let folder: string;
let log: ThreadedOutputLog;
const MIB = 1024 * 1024;
const quiet = { warn() {}, info() {}, error() {} };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-output-'));
  log = open();
});
/** Of a slow machine, which starts threads meanwhile. */
const TIMEOUT_MS = 60_000;

afterEach(async () => {
  await log.close();
  await rm(folder, { recursive: true, force: true });
}, TIMEOUT_MS);

function open(): ThreadedOutputLog {
  const settings = {
    folder,
    maxBytes: 64 * MIB,
    segmentBytes: 16 * MIB,
    keepMs: 3600_000,
    maxLineChars: 2000,
    maxBytesPerS: 64 * MIB,
    maxBehindBytes: MIB,
  };
  return new ThreadedOutputLog({ settings, log: quiet });
}

const instance = { functionName: 'f', version: 1, instanceId: 'i' };

it(
  'writes in a thread, masked, what it had been given before its end',
  async () => {
    const source = log.source(instance);
    source.write('stdout', '', Buffer.from('booted\n'));
    source.setSecrets(['correct-horse']);
    source.write('stderr', 'c', Buffer.from('it is correct-'));
    source.write('stderr', 'c', Buffer.from('horse'));
    source.endCall('c');
    source.say('error', 'c', 'failed of correct-horse', { code: 'x' });
    source.end();
    await log.close();
    log = open();
    const { lines } = await log.search({ limit: 10 });
    expect(lines.map(({ correlation_id: id, message }) => [id, message]).reverse()).toEqual([
      [null, 'booted'],
      ['c', 'it is ***'],
      ['c', 'failed of ***'],
    ]);
  },
  TIMEOUT_MS,
);

it('starts no thread before there is something to do', async () => {
  log.source(instance).end();
  await log.prune();
  await log.close();
  expect(await readdir(folder)).toEqual([]);
});

it(
  'holds a bounded amount for a thread that is behind, and counts what it drops',
  async () => {
    const source = log.source(instance);
    const chunk = Buffer.from(`${'x'.repeat(999)}\n`.repeat(100));
    // Within one tick the thread can give nothing back.
    for (let n = 0; n < 200; n++) source.write('stdout', 'c', chunk);
    const { dropped } = log.counts;
    expect(dropped).toBeGreaterThan(10_000);
    expect(dropped).toBeLessThan(13_000);
    await log.close();
    expect(log.counts.lines).toBeGreaterThan(7_000);
    expect(log.counts.lines).toBeLessThanOrEqual(20_000 - dropped);
  },
  TIMEOUT_MS,
);
