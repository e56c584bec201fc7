import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteQueue } from '../../../src/queue/sqlite/open-sqlite-queue.ts';
import { LANE, newInvocation, QueueFolder, succeeded, takeOne } from './test-queue.ts';

const isRoot = process.getuid?.() === 0;
const IOERR_FSYNC = 1034;
const FULL = 13;

describe('the durable queue in trouble', { timeout: 60_000 }, () => {
  let folder: QueueFolder;
  let mounted: string | null = null;

  beforeEach(async () => {
    folder = await QueueFolder.make();
  });
  afterEach(async () => {
    if (mounted) execFileSync('umount', ['--lazy', mounted]);
    mounted = null;
    await folder[Symbol.asyncDispose]();
  });

  /** A database whose last commits are in its write-ahead log only, as a kill leaves it. @returns the ids acknowledged */
  async function killed(): Promise<string[]> {
    const program = fileURLToPath(new URL('./fixtures/accept-forever.ts', import.meta.url));
    const child = spawn(process.execPath, [program, folder.file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    await new Promise<void>((resolve) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.length > 20_000) resolve();
      });
    });
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(statSync(`${folder.file}-wal`).size).toBeGreaterThan(0);
    return output.split('\n').slice(0, -1);
  }

  const refusal = async (): Promise<{ code: string; message: string }> => {
    const failure = await folder.open().then(
      () => null,
      (error: unknown) => error as { code: string; message: string },
    );
    if (!failure) throw new Error('it was opened');
    return failure;
  };

  it('has everything that was acknowledged before a kill -9', async () => {
    const ids = await killed();
    const { queue } = await folder.open();
    const states = await Promise.all(ids.map(async (id) => (await queue.get(id))?.state));
    expect(states.filter((state) => state !== 'queued')).toEqual([]);
    expect(existsSync(`${folder.file}-wal.kept`)).toBe(false);
  });

  it.for([
    ['cut short', (wal: string) => truncateSync(wal, Math.floor(statSync(wal).size * 0.6))],
    ['removed', (wal: string) => rmSync(wal)],
    [
      'damaged in its middle',
      (wal: string) => {
        const descriptor = openSync(wal, 'r+');
        writeSync(descriptor, Buffer.alloc(100, 0xa5), 0, 100, Math.floor(statSync(wal).size / 2));
      },
    ],
  ] as const)('refuses to start when the write-ahead log was %s, keeps what it found, and goes on when told to', async ([how, harm]) => {
    await killed();
    harm(`${folder.file}-wal`);
    const found = how === 'removed' ? null : readFileSync(`${folder.file}-wal`);
    const failure = await refusal();
    expect(failure.code).toBe('store_unavailable');
    expect(failure.message).toMatch(/lacks the last \d+ commit\(s\) that were acknowledged/);
    expect(failure.message).toContain(`${folder.file}.mark`);
    if (found) expect(readFileSync(`${folder.file}-wal.kept`)).toEqual(found);
    // It says the same a second time: nothing was mended in silence.
    expect((await refusal()).message).toMatch(/lacks the last \d+ commit/);
    rmSync(`${folder.file}.mark`);
    const { queue } = await folder.open();
    expect(await queue.accept(newInvocation())).toMatchObject({ kind: 'accepted' });
  });

  it('refuses an older copy of the database', async () => {
    const first = await folder.open();
    await first.queue.accept(newInvocation());
    await first.queue.close();
    copyFileSync(folder.file, `${folder.file}.copy`);
    const second = await folder.open();
    await second.queue.accept(newInvocation());
    await second.queue.close();
    copyFileSync(`${folder.file}.copy`, folder.file);
    expect((await refusal()).message).toContain('lacks the last 1 commit(s)');
  });

  it.for([
    ['cut short', (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2))],
    [
      'damaged',
      (file: string) => {
        const descriptor = openSync(file, 'r+');
        const { size } = statSync(file);
        for (let at = 8192; at + 4096 <= size; at += 16_384) writeSync(descriptor, Buffer.alloc(4096, 0xa5), 0, 4096, at);
      },
    ],
    ['overwritten by something else', (file: string) => writeFileSync(file, 'no database at all. '.repeat(1000))],
  ] as const)('refuses to start when the database was %s', async ([, harm]) => {
    const { queue } = await folder.open();
    await Promise.all(Array.from({ length: 200 }, () => queue.accept(newInvocation({}, 'x'.repeat(2000)))));
    await queue.close();
    harm(folder.file);
    const failure = await refusal();
    expect(failure.code).toBe('store_unavailable');
    expect(failure.message).toContain(folder.file);
  });

  it('acknowledges nothing once the disk has failed, and has all that it acknowledged before after a restart', async () => {
    const { queue, failCommits } = await folder.open();
    const before = newInvocation();
    await queue.accept(before);
    failCommits(IOERR_FSYNC, false);
    const failed = newInvocation();
    await expect(queue.accept(failed)).rejects.toMatchObject({ code: 'store_unavailable' });
    // The disk says that it is well again; what it has lost isn't known all the same.
    await expect(queue.accept(newInvocation())).rejects.toMatchObject({ code: 'store_unavailable', message: expect.stringContaining('restarted') });
    await expect(queue.take(LANE, 1, 1000)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect((await queue.get(before.id))?.state).toBe('queued');
    await queue.close();
    const again = await folder.open();
    expect((await takeOne(again.queue)).lease.id).toBe(before.id);
    expect(await again.queue.get(failed.id)).toBeUndefined();
  });

  it('acknowledges nothing from the first flush on that really fails', async () => {
    const program = fileURLToPath(new URL('./fixtures/accept-forever.ts', import.meta.url));
    const strace = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO:when=40+'];
    const child = spawn('strace', [...strace, process.execPath, program, folder.file], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(3);
    const lines = output.split('\n').slice(0, -1);
    const firstRefusal = lines.findIndex((line) => line.startsWith('!'));
    const acknowledged = lines.slice(0, firstRefusal);
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(new Set(lines.slice(firstRefusal))).toEqual(new Set(['!store_unavailable']));
    const { queue } = await folder.open();
    const states = await Promise.all(acknowledged.map(async (id) => (await queue.get(id))?.state));
    expect(new Set(states)).toEqual(new Set(['queued']));
  });

  it('fails one request of a batch and not the others', async () => {
    const { queue } = await folder.open();
    const [good, better] = [newInvocation(), newInvocation()];
    const twin = newInvocation({ id: good.id });
    const outcomes = await Promise.allSettled([queue.accept(good), queue.accept(twin), queue.accept(better)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await queue.get(better.id))?.state).toBe('queued');
  });

  it('refuses with 507 while the disk is full, loses nothing, and goes on by itself', async () => {
    const { queue, failCommits } = await folder.open();
    const before = newInvocation();
    await queue.accept(before);
    const { lease } = await takeOne(queue);
    failCommits(FULL);
    await expect(queue.accept(newInvocation())).rejects.toMatchObject({ code: 'storage_full', status: 507 });
    await expect(queue.settle(lease, succeeded())).rejects.toMatchObject({ code: 'storage_full' });
    expect((await queue.get(before.id))?.state).toBe('running');
    failCommits(0);
    expect(await queue.settle(lease, succeeded())).toBe(true);
    expect(await queue.accept(newInvocation())).toMatchObject({ kind: 'accepted' });
  });

  it.runIf(isRoot)('does so on a real full disk too', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder.folder]);
    mounted = folder.folder;
    const queue = await openSqliteQueue({ file: folder.file, log: { warn() {}, error() {} } });
    const accepted: string[] = [];
    let refused: unknown;
    while (refused === undefined) {
      const invocation = newInvocation({}, 'x'.repeat(20_000));
      await queue.accept(invocation).then(
        () => accepted.push(invocation.id),
        (error: unknown) => {
          refused = error;
        },
      );
    }
    expect(refused).toMatchObject({ code: 'storage_full' });
    expect(accepted.length).toBeGreaterThan(10);
    // What runs can't be settled either, and is not lost by that.
    execFileSync('mount', ['-o', 'remount,size=64m', folder.folder]);
    const { lease } = await takeOne(queue);
    expect(await queue.settle(lease, succeeded())).toBe(true);
    expect(await queue.accept(newInvocation())).toMatchObject({ kind: 'accepted' });
    const states = await Promise.all(accepted.map(async (id) => (await queue.get(id))?.state));
    expect(new Set(states)).toEqual(new Set(['queued', 'succeeded']));
    await queue.close();
  });

  it('says so when its worker dies', async () => {
    const { queue } = await folder.open();
    await queue.close();
    await expect(queue.accept(newInvocation())).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});
