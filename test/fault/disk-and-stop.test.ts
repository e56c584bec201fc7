import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Hearth, sleep, until } from '../support/hearth.ts';
import { check } from './checker.ts';
import { definitions, RunCounter } from './functions.ts';
import { Generator } from './generator.ts';

const isRoot = process.getuid?.() === 0;

describe('asynchronous invocations and a hostile machine', () => {
  it.runIf(isRoot)(
    'a disk that is full for a while: new ones are refused with 507, none is lost, and it goes on by itself',
    { timeout: 180_000 },
    async () => {
      await using cleanUp = new AsyncDisposableStack();
      const dataFolder = mkdtempSync(join(tmpdir(), 'hearth-fault-disk-'));
      cleanUp.defer(() => rmSync(dataFolder, { recursive: true, force: true }));
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=0711', 'tmpfs', dataFolder]);
      cleanUp.defer(() => {
        execFileSync('umount', ['--lazy', dataFolder]);
      });
      const counter = cleanUp.use(await RunCounter.listen());
      const hearth = cleanUp.use(await Hearth.start({ dataFolder, settings: { HEARTH_LOG_LEVEL: 'warn' } }));
      for (const definition of definitions(counter.port)) await hearth.register(definition);
      const logFolder = mkdtempSync(join(tmpdir(), 'hearth-fault-log-'));
      cleanUp.defer(() => rmSync(logFolder, { recursive: true, force: true }));
      const generator = new Generator(200, join(logFolder, 'accepted.log'));
      cleanUp.defer(() => generator.stop());
      generator.aim(hearth.gateway);
      await until(() => generator.accepted.length > 200);

      const ballast = join(dataFolder, 'ballast');
      const { bavail, bsize } = statfsSync(dataFolder);
      try {
        writeFileSync(ballast, Buffer.alloc(bavail * bsize));
      } catch (error) {
        // It grew in the meantime: then what fits has been written.
        expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
      }
      await until(() => (generator.refused.get('507') ?? 0) > 100);
      unlinkSync(ballast);
      const before = generator.accepted.length;
      await until(() => generator.accepted.length > before + 200);
      await generator.stop();

      expect([...generator.refused.keys()]).toEqual(['507']);
      const left = async (state: string) =>
        ((await hearth.get(`/invocations?state=${state}&limit=1`)) as { invocations: unknown[] }).invocations.length;
      await until(async () => (await left('queued')) + (await left('running')) === 0, 60_000);
      const findings = await check(hearth.api, generator.accepted, counter.runs);
      expect(findings.violations).toEqual([]);
      expect(findings.duplicates).toBe(0);
    },
  );

  it('a platform that is stopped past its leases and goes on ends everything once', { timeout: 120_000 }, async () => {
    await using cleanUp = new AsyncDisposableStack();
    const counter = cleanUp.use(await RunCounter.listen());
    const hearth = cleanUp.use(await Hearth.start({ settings: { HEARTH_LOG_LEVEL: 'warn', HEARTH_QUEUE_LEASE_MARGIN_MS: '200' } }));
    for (const definition of definitions(counter.port))
      await hearth.register({ ...definition, timeout_ms: 1000, retry: { attempts: 10, min_backoff_ms: 20 } });
    const calls = await Promise.all(
      Array.from({ length: 12 }, async (_, number) => {
        const response = await hearth.call('/slow', { method: 'POST', headers: { Prefer: 'respond-async' }, body: JSON.stringify({ number }) });
        expect(response.status).toBe(202);
        return { id: response.headers.get('x-correlation-id') as string, number };
      }),
    );
    await until(() => counter.runs.size > 0);
    hearth.child.kill('SIGSTOP');
    await sleep(3000);
    hearth.child.kill('SIGCONT');
    for (const { id, number } of calls) {
      const record = (await hearth.get(`/invocations/${id}?wait=60s`)) as {
        state: string;
        attempts: { number: number; outcome: string }[];
        result: { body: string };
      };
      expect(record.state, JSON.stringify(record.attempts)).toBe('succeeded');
      expect(JSON.parse(record.result.body)).toEqual({ id, number });
      expect(record.attempts.filter(({ outcome }) => outcome === 'succeeded')).toHaveLength(1);
      // Whatever ran besides has an outcome of its own: lost with its lease, or past its deadline.
      expect(record.attempts.map(({ number: n }) => n)).toEqual(record.attempts.map((_, index) => index + 1));
      expect(counter.runs.get(id)?.length ?? 0).toBeLessThanOrEqual(record.attempts.length);
    }
  });
});
