import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { versionDraft } from '../store/records.ts';
import { Clockwork, POLICY } from './clockwork.ts';

const FIXTURE = fileURLToPath(new URL('./fixtures/dying-schedules.ts', import.meta.url));

/** @returns what it printed before it died */
async function dieAt(folder: string, point: string, occurrence: number): Promise<string[]> {
  const child = spawn(process.execPath, [FIXTURE, folder, point, String(occurrence)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const [, signal] = await once(child, 'close');
  expect(signal).toBe('SIGKILL');
  return printed.split('\n').filter((line) => line !== '');
}

describe('a sudden death of the platform while a schedule fires', { timeout: 60_000 }, () => {
  it.for([
    ['before-written', 2],
    ['written', 1],
    ['written', 3],
    ['accepted', 1],
    ['accepted', 2],
  ] as const)('%s, firing %i: each instant has one invocation, and none is lost', async ([point, occurrence]) => {
    await using clockwork = await Clockwork.make(new Date().toISOString());
    await clockwork.start();
    await clockwork.store.putVersion(
      versionDraft({ functionName: 'a', eventKey: 'cron|* * * * * *', schedule: { ...POLICY, overlap: 'allow', missed: 'all' } }),
    );
    await clockwork.stop();
    const printed = await dieAt(clockwork.folder, point, occurrence);

    clockwork.now = Date.now();
    await clockwork.start();
    const end = Math.floor(clockwork.now / 1000) * 1000;
    const firings = await clockwork.firings('a');
    const instants = firings.map(({ scheduledAt }) => scheduledAt);
    const first = instants[0] as number;
    // Every second since the first, without a gap and without a repetition, what was missed while the process was dead among them.
    expect(instants).toEqual(Array.from({ length: (end - first) / 1000 + 1 }, (_, second) => first + second * 1000));
    expect(firings.every(({ state }) => state === 'succeeded')).toBe(true);
    for (const line of printed) expect(instants).toContain(Date.parse(line));
    const queued = await clockwork.queue.list({ functionName: 'a', limit: 1000 });
    expect(queued.map(({ id }) => id).sort()).toEqual(firings.map(({ id }) => id).sort());
    expect(clockwork.runs).toHaveLength(firings.length);
  });
});
