import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Clockwork, type TestNode } from './clockwork.ts';

const MINUTE = 60_000;

describe('schedules of several nodes over one store and one queue', { timeout: 30_000 }, () => {
  let clockwork: Clockwork;
  let one: TestNode;
  let other: TestNode;

  beforeEach(async () => {
    clockwork = await Clockwork.make('2026-05-01T11:59:30Z', 2);
    await clockwork.start();
    [one, other] = clockwork.nodes as [TestNode, TestNode];
  });
  afterEach(() => clockwork[Symbol.asyncDispose]());

  async function lead(node: TestNode): Promise<void> {
    node.seat.win();
    await clockwork.quiet();
    await clockwork.pass(0);
  }

  const states = async (name: string) => (await clockwork.firings(name)).map(({ state, kind }) => `${kind} ${state}`);
  const record = ({ schedules }: TestNode) => schedules.get('a')?.record;

  it('are fired by the one that leads, and known to all', async () => {
    await clockwork.register('a', 'cron|* * * * *');
    await clockwork.pass(2 * MINUTE);
    // Nobody leads.
    expect(clockwork.runs).toEqual([]);
    await lead(one);
    await clockwork.pass(2 * MINUTE);
    expect(clockwork.runs.slice(-2)).toEqual(['a 12:02:00', 'a 12:03:00']);
    expect(record(other)).toEqual(record(one));
    expect(other.schedules.get('a')?.open).toEqual([]);
    expect(other.schedules.list('', 10).map(({ version }) => version.functionName)).toEqual(['a']);
  });

  it('are paused and resumed by any of them', async () => {
    // Before anybody leads, who would have set its cursor.
    await clockwork.register('a', 'cron|* * * * *');
    await other.schedules.setPaused('a', true);
    await lead(one);
    await clockwork.pass(2 * MINUTE);
    expect(clockwork.runs).toEqual([]);
    expect(record(one)?.paused).toBe(true);
    await other.schedules.setPaused('a', false);
    await clockwork.pass(MINUTE);
    expect(clockwork.runs).toEqual(['a 12:02:00']);
  });

  it('are paused by one while the other fires, whoever writes first', async () => {
    await clockwork.register('a', 'cron|* * * * *');
    await lead(one);
    clockwork.feedHeld = true;
    await clockwork.pass(MINUTE);
    // It knows nothing of the firing that moved the cursor, and decides anew on what is.
    await other.schedules.setPaused('a', true);
    expect(await clockwork.store.schedule('a')).toMatchObject({ record: { paused: true, lastAt: Date.parse('2026-05-01T12:00:00Z') } });
    // Nor does the one that leads know that it is paused.
    await clockwork.pass(2 * MINUTE);
    expect(clockwork.runs).toEqual(['a 12:00:00']);
    await clockwork.releaseFeed();
    expect(record(one)).toEqual(record(other));
  });

  it('are fired by hand on any of them, once, and counted', async () => {
    clockwork.ending = () => 'hold';
    await clockwork.register('a', 'cron|0 0 * * *');
    await lead(one);
    const id = await other.schedules.fireNow('a');
    await clockwork.quiet();
    expect(clockwork.ids).toEqual([id]);
    for (const { schedules } of [one, other]) await expect(schedules.fireNow('a')).rejects.toMatchObject({ code: 'conflict' });
    await clockwork.end('a', 'fail');
    expect(await states('a')).toEqual(['manual failed']);
    expect(record(other)?.failures).toBe(1);
    // Both at once: one of them is second.
    clockwork.feedHeld = true;
    const both = await Promise.allSettled([one, other].map(({ schedules }) => schedules.fireNow('a')));
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await clockwork.releaseFeed();
    expect(clockwork.running).toHaveLength(1);
  });

  it('replace on one what the other has begun', async () => {
    clockwork.ending = () => 'hold';
    await clockwork.register('a', 'cron|* * * * *', { overlap: 'replace' });
    await lead(one);
    await clockwork.pass(MINUTE);
    await other.schedules.fireNow('a');
    await clockwork.quiet();
    expect((await states('a')).sort()).toEqual(['manual open', 'scheduled cancelled']);
    expect(clockwork.running).toHaveLength(1);
  });

  it('go on when the one that leads dies between written down and in the queue', async () => {
    await clockwork.register('a', 'cron|* * * * *');
    await lead(one);
    one.isCutOff = true;
    await clockwork.pass(MINUTE);
    expect(await states('a')).toEqual(['scheduled open']);
    expect(clockwork.runs).toEqual([]);
    one.isDead = true;
    await lead(other);
    await clockwork.pass(MINUTE);
    expect(clockwork.runs).toEqual(['a 12:00:00', 'a 12:01:00']);
    expect(clockwork.ids).toEqual((await clockwork.firings('a')).map(({ id }) => id));
    expect(await states('a')).toEqual(['scheduled succeeded', 'scheduled succeeded']);
  });

  it('go on when the one that leads dies between in the queue and counted', async () => {
    clockwork.ending = () => 'hold';
    await clockwork.register('a', 'cron|* * * * *');
    await lead(one);
    await clockwork.pass(MINUTE);
    one.isDead = true;
    await clockwork.end('a', 'fail');
    await lead(other);
    expect(await states('a')).toEqual(['scheduled failed']);
    expect(record(other)?.failures).toBe(1);
    expect(clockwork.runs).toEqual(['a 12:00:00']);
  });

  it('fire each instant once while both believe that they lead', async () => {
    await clockwork.register('a', 'cron|* * * * *', { overlap: 'allow' });
    await lead(one);
    await lead(other);
    clockwork.feedHeld = true;
    await clockwork.pass(5 * MINUTE);
    await clockwork.releaseFeed();
    expect(clockwork.runs.toSorted()).toEqual(['a 12:00:00', 'a 12:01:00', 'a 12:02:00', 'a 12:03:00', 'a 12:04:00']);
    expect(new Set(clockwork.ids).size).toBe(5);
    expect(await states('a')).toEqual(Array(5).fill('scheduled succeeded'));
  });

  it('fire nothing more from the moment at which the lead is lost', async () => {
    await clockwork.register('a', 'cron|* * * * *');
    await lead(one);
    await clockwork.pass(MINUTE);
    one.seat.lose();
    expect(clockwork.timers).toEqual([]);
    await clockwork.pass(MINUTE);
    expect(clockwork.runs).toEqual(['a 12:00:00']);
    one.seat.win();
    await clockwork.quiet();
    await clockwork.pass(MINUTE);
    expect(clockwork.runs.slice(-1)).toEqual(['a 12:02:00']);
  });

  it('count as on time what is taken over within ten seconds, and as missed what is not', async () => {
    await clockwork.register('a', 'cron|* * * * *', { missed: 'skip' });
    await lead(one);
    await clockwork.pass(20_000);
    one.isDead = true;
    await clockwork.pass(18_000);
    await lead(other);
    expect(clockwork.runs).toEqual(['a 12:00:00']);
    other.seat.lose();
    await clockwork.pass(75_000);
    other.seat.win();
    await clockwork.quiet();
    expect(clockwork.runs).toEqual(['a 12:00:00']);
    expect((await clockwork.firings('a')).map(({ state, reason }) => reason ?? state)).toEqual(['succeeded', 'missed']);
  });

  it('take from a function that is not run by the clock any more what another node had of it', async () => {
    await clockwork.register('a', 'cron|* * * * *');
    await lead(one);
    await clockwork.pass(MINUTE);
    one.isDead = true;
    await clockwork.register('a', 'http|GET|/a');
    expect((await clockwork.store.schedule('a')).record).toBeDefined();
    await lead(other);
    expect((await clockwork.store.schedule('a')).record).toBeUndefined();
  });
});
