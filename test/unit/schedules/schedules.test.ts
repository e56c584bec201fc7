import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HearthError } from '../../../src/errors.ts';
import { versionDraft } from '../store/records.ts';
import { Clockwork, POLICY } from './clockwork.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('schedules', { timeout: 30_000 }, () => {
  let clockwork: Clockwork;

  beforeEach(async () => {
    clockwork = await Clockwork.make('2026-05-01T11:59:30Z');
    await clockwork.start();
  });
  afterEach(() => clockwork[Symbol.asyncDispose]());

  const states = async (name: string) => (await clockwork.firings(name)).map(({ state, reason }) => (reason ? `${state}: ${reason}` : state));

  it('run functions when their expressions come true, each instant once', async () => {
    await clockwork.register('a', 'cron|* * * * *');
    await clockwork.register('b', 'cron|30 */2 * * * *');
    await clockwork.register('c', 'http|GET|/c');
    await clockwork.pass(4 * MINUTE);
    expect(clockwork.runs).toEqual(['a 12:00:00', 'b 12:00:30', 'a 12:01:00', 'a 12:02:00', 'b 12:02:30', 'a 12:03:00']);
    expect(await states('a')).toEqual(['succeeded', 'succeeded', 'succeeded', 'succeeded']);
    expect(new Set(clockwork.ids).size).toBe(6);
    expect(clockwork.schedules.get('a')?.record).toMatchObject({ failures: 0, nextAt: Date.parse('2026-05-01T12:04:00Z') });
    expect(clockwork.schedules.list('', 10).map(({ version }) => version.functionName)).toEqual(['a', 'b']);
    expect(clockwork.schedules.list('a', 10).map(({ version }) => version.functionName)).toEqual(['b']);
  });

  it('give the function what it was fired for', async () => {
    clockwork.ending = () => 'hold';
    await clockwork.register('a', 'cron|* * * * *');
    await clockwork.pass(MINUTE);
    const { input } = clockwork.running[0] as (typeof clockwork.running)[0];
    expect(input).toMatchObject({ trigger: 'schedule', verb: 'POST', path: '/schedules/a' });
    expect(input.headers.slice(0, 6)).toEqual([
      'Content-Type',
      'application/json',
      'X-Hearth-Schedule',
      'a',
      'X-Hearth-Scheduled-At',
      '2026-05-01T12:00:00.000Z',
    ]);
    expect(JSON.parse(String(input.body))).toEqual({ schedule: 'a', scheduled_at: '2026-05-01T12:00:00.000Z', kind: 'scheduled' });
    expect((await clockwork.firings('a'))[0]?.id).toBe(input.id);
  });

  it('leave an instant out while the one before runs', async () => {
    clockwork.ending = () => 'hold';
    await clockwork.register('a', 'cron|* * * * *');
    await clockwork.pass(2 * MINUTE);
    expect(await states('a')).toEqual(['open', 'skipped: overlap']);
    await clockwork.end('a');
    await clockwork.pass(MINUTE);
    expect(await states('a')).toEqual(['succeeded', 'skipped: overlap', 'open']);
    expect(clockwork.runs).toEqual(['a 12:00:00', 'a 12:02:00']);
    expect(clockwork.told).toEqual(['a open', 'a skipped', 'a open']);
  });

  it('run side by side when they may', async () => {
    clockwork.ending = () => 'hold';
    await clockwork.register('a', 'cron|* * * * *', { overlap: 'allow' });
    await clockwork.pass(3 * MINUTE);
    expect(clockwork.running).toHaveLength(3);
    expect(await states('a')).toEqual(['open', 'open', 'open']);
  });

  it('cancel the one before when they replace it', async () => {
    clockwork.ending = () => 'hold';
    await clockwork.register('a', 'cron|* * * * *', { overlap: 'replace' });
    await clockwork.pass(2 * MINUTE);
    expect(clockwork.running.map(({ input }) => JSON.parse(String(input.body)).scheduled_at)).toEqual(['2026-05-01T12:01:00.000Z']);
    expect((await states('a')).map((state) => state.split(':')[0])).toEqual(['cancelled', 'open']);
    expect(clockwork.schedules.get('a')?.record.failures).toBe(0);
  });

  it('tell once of failures in a row, and once of the recovery', async () => {
    let healthy = false;
    clockwork.ending = (name) => (name === 'a' && !healthy ? 'fail' : 'succeed');
    await clockwork.register('alarm', 'http|POST|/alarm');
    const target = { kind: 'function', name: 'alarm' } as const;
    await clockwork.register('a', 'cron|* * * * *', { onFailure: { after: 2, target }, onRecovery: { target } });
    await clockwork.pass(4 * MINUTE);
    healthy = true;
    await clockwork.pass(2 * MINUTE);
    expect(clockwork.runs.filter((run) => run.startsWith('alarm'))).toEqual(['alarm on_failure 2', 'alarm on_recovery 4']);
    expect(await clockwork.store.scheduleNotices()).toEqual([]);
  });

  it('do not wait for a target that does not exist', async () => {
    clockwork.ending = () => 'fail';
    await clockwork.register('a', 'cron|* * * * *', { onFailure: { after: 1, target: { kind: 'function', name: 'nobody' } } });
    await clockwork.pass(2 * MINUTE);
    expect(clockwork.runs).toEqual(['a 12:00:00', 'a 12:01:00']);
    expect(await clockwork.store.scheduleNotices()).toEqual([]);
  });

  it('make up for what was missed as they are told, and know over a restart what was fired', async () => {
    await clockwork.register('skip', 'cron|* * * * *', { missed: 'skip' });
    await clockwork.register('once', 'cron|* * * * *', { missed: 'once' });
    await clockwork.register('all', 'cron|* * * * *', { missed: 'all' });
    await clockwork.pass(MINUTE);
    expect(clockwork.runs.sort()).toEqual(['all 12:00:00', 'once 12:00:00', 'skip 12:00:00']);
    await clockwork.stop();
    clockwork.runs.length = 0;
    clockwork.now = Date.parse('2026-05-01T12:03:10Z');
    await clockwork.start();
    expect(clockwork.runs.sort()).toEqual(['all 12:01:00', 'all 12:02:00', 'all 12:03:00', 'once 12:03:00']);
    expect((await clockwork.firings('all')).map(({ kind }) => kind)).toEqual(['scheduled', 'catch_up', 'catch_up', 'catch_up']);
    clockwork.runs.length = 0;
    await clockwork.pass(MINUTE);
    expect(clockwork.runs.sort()).toEqual(['all 12:04:00', 'once 12:04:00', 'skip 12:04:00']);
  });

  it('let go what was missed too long ago', async () => {
    await clockwork.register('late', 'cron|0 * * * *', { missedWithinS: 60 });
    await clockwork.stop();
    clockwork.now = Date.parse('2026-05-01T13:30:00Z');
    await clockwork.start();
    expect(await states('late')).toEqual(['skipped: missed']);
    expect(clockwork.schedules.get('late')?.record.nextAt).toBe(Date.parse('2026-05-01T14:00:00Z'));
  });

  it('begin with their version when the platform died before it wrote them down, and are not late then', async () => {
    await clockwork.stop();
    await clockwork.start();
    const { version } = await clockwork.store.putVersion(
      versionDraft({ functionName: 'a', eventKey: 'cron|* * * * *', schedule: { ...POLICY, missed: 'skip' } }),
    );
    await clockwork.stop();
    clockwork.now = version.createdAt + 1;
    await clockwork.start();
    await clockwork.pass(2 * MINUTE);
    expect(await states('a')).toEqual(['succeeded', 'succeeded']);
  });

  it('make up one after another for a function that may not overlap', async () => {
    clockwork.ending = () => 'hold';
    await clockwork.register('a', 'cron|* * * * *', { missed: 'all' });
    await clockwork.stop();
    clockwork.now += 3 * MINUTE;
    await clockwork.start();
    expect(clockwork.runs).toEqual(['a 12:00:00']);
    await clockwork.pass(5 * MINUTE);
    expect(clockwork.running).toHaveLength(1);
    for (let run = 0; run < 8; run++) await clockwork.end('a');
    expect(clockwork.runs).toEqual(Array.from({ length: 8 }, (_, minute) => `a 12:0${minute}:00`));
    expect(clockwork.running).toHaveLength(0);
  });

  it('take up what was running when the platform ended', async () => {
    clockwork.ending = () => 'hold';
    await clockwork.register('a', 'cron|* * * * *');
    await clockwork.pass(MINUTE);
    const [id] = clockwork.ids;
    await clockwork.stop();
    await clockwork.start();
    expect(clockwork.ids).toEqual([id, id]);
    await clockwork.pass(MINUTE);
    expect(await states('a')).toEqual(['open', 'skipped: overlap']);
    await clockwork.end('a');
    expect(await states('a')).toEqual(['succeeded', 'skipped: overlap']);
  });

  it('go on after the clock is set forwards, without a flood', async () => {
    await clockwork.register('a', 'cron|* * * * *', { overlap: 'allow' });
    await clockwork.register('b', 'cron|* * * * *', { overlap: 'allow', missed: 'all' });
    await clockwork.pass(MINUTE);
    clockwork.now += 24 * HOUR;
    await clockwork.pass(MINUTE);
    expect(clockwork.runs.filter((run) => run.startsWith('a'))).toEqual(['a 12:00:00', 'a 12:01:00']);
    expect((await clockwork.firings('a')).map(({ kind }) => kind)).toEqual(['scheduled', 'catch_up']);
    expect(clockwork.runs.filter((run) => run.startsWith('b')).length).toBeLessThanOrEqual(102);
  });

  it('go on after the clock is set backwards, and fire no time of the day twice', async () => {
    await clockwork.register('interval', 'cron|* * * * *');
    await clockwork.register('daily', 'cron|0 12 * * *');
    await clockwork.pass(MINUTE);
    clockwork.now -= 5 * MINUTE;
    await clockwork.pass(3 * MINUTE);
    expect(clockwork.runs.filter((run) => run.startsWith('interval')).length).toBeGreaterThanOrEqual(3);
    await clockwork.pass(3 * MINUTE);
    expect(clockwork.runs.filter((run) => run.startsWith('daily'))).toEqual(['daily 12:00:00']);
    expect(clockwork.runs.filter((run) => run === 'interval 12:00:00')).toHaveLength(2);
  });

  it('are paused and go on, over restarts and new versions', async () => {
    await clockwork.register('a', 'cron|* * * * *');
    expect((await clockwork.schedules.setPaused('a', true)).record.paused).toBe(true);
    await clockwork.pass(2 * MINUTE);
    await clockwork.stop();
    await clockwork.start();
    await clockwork.register('a', 'cron|*/2 * * * *');
    await clockwork.pass(2 * MINUTE);
    expect(clockwork.runs).toEqual([]);
    await clockwork.schedules.setPaused('a', false);
    await clockwork.pass(2 * MINUTE);
    expect(clockwork.runs).toEqual(['a 12:04:00']);
  });

  it('are fired by hand, if the one before is over', async () => {
    clockwork.ending = () => 'hold';
    await clockwork.register('a', 'cron|0 0 1 1 *');
    await clockwork.schedules.setPaused('a', true);
    const id = await clockwork.schedules.fireNow('a');
    await clockwork.quiet();
    expect(clockwork.ids).toEqual([id]);
    await expect(clockwork.schedules.fireNow('a')).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining(id) });
    await clockwork.end('a', 'fail');
    expect(await clockwork.firings('a')).toMatchObject([{ id, kind: 'manual', state: 'failed' }]);
    expect(clockwork.schedules.get('a')?.record.failures).toBe(1);
    await expect(clockwork.schedules.fireNow('b')).rejects.toBeInstanceOf(HearthError);
  });

  it('follow the current version, and end with the key or the function', async () => {
    await clockwork.register('a', 'cron|* * * * *');
    await clockwork.register('b', 'cron|* * * * *');
    await clockwork.pass(MINUTE);
    await clockwork.register('a', 'cron|30 * * * * *');
    await clockwork.register('b', 'http|GET|/b');
    await clockwork.pass(MINUTE);
    expect(clockwork.runs.sort()).toEqual(['a 12:00:00', 'a 12:01:30', 'b 12:00:00']);
    await clockwork.store.deleteFunction('a');
    clockwork.schedules.remove('a');
    await clockwork.pass(MINUTE);
    expect(clockwork.runs).toHaveLength(3);
    expect(await clockwork.store.schedules()).toEqual([]);
    expect(() => clockwork.schedules.preview('cron|x * * * *', 5)).toThrow('minute');
  });

  it('try again what could not be written down', async () => {
    await clockwork.register('a', 'cron|* * * * *');
    clockwork.failures = 2;
    await clockwork.pass(MINUTE);
    expect(clockwork.runs).toEqual(['a 12:00:00']);
    expect(await states('a')).toEqual(['succeeded']);
  });

  it('set one timer, within what timers hold', async () => {
    await clockwork.register('a', 'cron|0 0 29 2 *');
    await clockwork.register('b', 'cron|0 0 1 1 *');
    await clockwork.pass(5 * MINUTE);
    expect(clockwork.runs).toEqual([]);
    expect(clockwork.timers).toHaveLength(1);
    expect(clockwork.timers[0]).toBeLessThanOrEqual(MINUTE);
    expect(clockwork.schedules.get('a')?.record.nextAt).toBe(Date.parse('2028-02-29T00:00:00Z'));
  });

  it('fire nothing once they are stopped', async () => {
    await clockwork.register('a', 'cron|* * * * *');
    clockwork.schedules.stop();
    await clockwork.pass(2 * MINUTE);
    expect(clockwork.runs).toEqual([]);
    await expect(clockwork.schedules.fireNow('a')).rejects.toMatchObject({ code: 'draining' });
  });

  it('are fired a batch at a time when many are due at once', async () => {
    for (let index = 0; index < 250; index++) {
      await clockwork.store.putVersion(versionDraft({ functionName: `f${index}`, eventKey: 'cron|0 12 * * *', schedule: POLICY }));
    }
    await clockwork.stop();
    await clockwork.start();
    await clockwork.pass(MINUTE);
    expect(clockwork.runs).toHaveLength(250);
    expect(new Set(clockwork.runs).size).toBe(250);
  });
});
