import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FiringRecord, ScheduleNotice, ScheduleRecord } from '../../../src/schemas/schedule.ts';
import type { Store } from '../../../src/store/store.ts';
import { versionDraft } from './records.ts';
import type { OpenedStore } from './store-conformance.ts';

const schedule = (members: Partial<ScheduleRecord> = {}): ScheduleRecord => ({
  functionName: 'echo',
  eventKey: 'cron|* * * * *',
  nextAt: 120_000,
  dueAt: 121_500.5,
  lastAt: null,
  round: 0,
  paused: false,
  failures: 2,
  failing: true,
  revision: 0,
  ...members,
});

const firing = (members: Partial<FiringRecord> = {}): FiringRecord => ({
  id: 'firing-1',
  functionName: 'echo',
  scheduledAt: 60_000,
  round: 0,
  kind: 'scheduled',
  firedAt: 60_010.5,
  endedAt: null,
  state: 'open',
  reason: null,
  ...members,
});

const notice = (members: Partial<ScheduleNotice> = {}): ScheduleNotice => ({
  id: 'notice-1',
  functionName: 'echo',
  kind: 'on_failure',
  target: { kind: 'function', name: 'alarm' },
  body: '{}',
  ...members,
});

/** Every sentence of src/store/store.ts about schedules as a test. */
export function scheduleConformance(open: () => Promise<OpenedStore>): void {
  let opened: OpenedStore;
  let store: Store;

  beforeEach(async () => {
    opened = await open();
    store = opened.store;
    await store.putVersion(versionDraft());
  });
  afterEach(() => opened.destroy());

  describe('schedules', () => {
    it('keeps them with their firings and notices', async () => {
      await store.putVersion(versionDraft({ functionName: 'a' }));
      const other = schedule({ functionName: 'a', nextAt: null, dueAt: null, lastAt: 60_000, round: 3, paused: true, failures: 0, failing: false });
      expect(
        await store.changeSchedules([
          { schedule: schedule(), firings: [firing()], notices: [notice()] },
          { schedule: other, firings: [], notices: [] },
        ]),
      ).toEqual({ refused: [], stale: [] });
      store = await opened.reopen();
      expect(await store.schedules()).toEqual([{ ...other, revision: 1 }, schedule({ revision: 1 })]);
      expect(await store.schedules({ after: 'a', limit: 1 })).toEqual([schedule({ revision: 1 })]);
      expect(await store.schedule('echo')).toEqual({ record: schedule({ revision: 1 }), open: [firing()] });
      expect(await store.schedule('nobody')).toEqual({ record: undefined, open: [] });
      expect(await store.openFirings({ after: '', limit: 10 })).toEqual([firing()]);
      expect(await store.openFirings({ after: 'firing-1', limit: 10 })).toEqual([]);
      expect(await store.scheduleNotices()).toEqual([notice()]);
      await store.deleteScheduleNotices(['notice-1', 'other']);
      expect(await store.scheduleNotices()).toEqual([]);
    });

    it('makes one firing of an instant, once in each round, and says which it left out', async () => {
      let revision = 0;
      const put = async (one: FiringRecord) =>
        (await store.changeSchedules([{ schedule: schedule({ revision: revision++ }), firings: [one], notices: [] }])).refused;
      await put(firing());
      expect(await put(firing({ id: 'firing-2' }))).toEqual(['firing-2']);
      expect(await put(firing({ id: 'firing-3', round: 1 }))).toEqual([]);
      expect(await put(firing({ id: 'firing-4', kind: 'manual' }))).toEqual([]);
      expect(await put(firing({ id: 'firing-5', kind: 'manual' }))).toEqual([]);
      expect(await put(firing({ state: 'succeeded', endedAt: 61_000 }))).toEqual([]);
      expect((await store.firings({ functionName: 'echo', limit: 10 })).map(({ id, state }) => [id, state])).toEqual([
        ['firing-5', 'open'],
        ['firing-4', 'open'],
        ['firing-3', 'open'],
        ['firing-1', 'succeeded'],
      ]);
      expect((await store.firings({ functionName: 'echo', ended: true, limit: 10 })).map(({ id }) => id)).toEqual(['firing-1']);
    });

    it('writes nothing that was decided on what is not so any more', async () => {
      await store.putVersion(versionDraft({ functionName: 'a' }));
      const change = (revision: number, members: Partial<ScheduleRecord> = {}) => ({
        schedule: schedule({ revision, ...members }),
        firings: [firing({ id: `by ${revision} ${members.failures}`, kind: 'manual' })],
        notices: [notice({ id: `by ${revision} ${members.failures}` })],
      });
      await store.changeSchedules([change(0, { failures: 0 })]);
      // Another one, who knows of none yet, or of one that there was, or will be.
      for (const revision of [0, 2]) {
        expect(await store.changeSchedules([change(revision, { failures: 1 })])).toEqual({ refused: [], stale: ['echo'] });
      }
      const other = { schedule: schedule({ functionName: 'a' }), firings: [], notices: [] };
      expect(await store.changeSchedules([change(0, { failures: 2 }), other])).toEqual({ refused: [], stale: ['echo'] });
      expect(await store.schedules()).toMatchObject([{ functionName: 'a' }, { failures: 0, revision: 1 }]);
      expect((await store.openFirings({ after: '', limit: 10 })).map(({ id }) => id)).toEqual(['by 0 0']);
      expect((await store.scheduleNotices()).map(({ id }) => id)).toEqual(['by 0 0']);
      expect(await store.changeSchedules([change(1, { failures: 3 })])).toEqual({ refused: [], stale: [] });
      await store.deleteSchedule('echo');
      expect(await store.changeSchedules([change(2)])).toEqual({ refused: [], stale: ['echo'] });
      expect(await store.schedules()).toHaveLength(1);
    });

    it('lists firings newest first, and deletes those that ended long ago', async () => {
      const ended = [1, 2, 3].map((minute) =>
        firing({
          id: `f${minute}`,
          scheduledAt: minute * 60_000,
          firedAt: minute * 60_000,
          state: 'failed',
          endedAt: minute * 60_000 + 1,
          reason: 'boom',
        }),
      );
      await store.changeSchedules([{ schedule: schedule(), firings: [...ended, firing({ id: 'f0', scheduledAt: 0, firedAt: 0 })], notices: [] }]);
      expect((await store.firings({ functionName: 'echo', before: 180_000, limit: 2 })).map(({ id }) => id)).toEqual(['f2', 'f1']);
      expect(await store.pruneFirings(120_001)).toBe(1);
      expect(await store.firings({ functionName: 'echo', limit: 10 })).toEqual([
        ended[2],
        ended[1],
        firing({ id: 'f0', scheduledAt: 0, firedAt: 0 }),
      ]);
    });

    it('takes nothing of a function that is not there, and drops all with the function', async () => {
      const change = { schedule: schedule({ functionName: 'gone' }), firings: [firing({ functionName: 'gone' })], notices: [] };
      expect(await store.changeSchedules([change])).toEqual({ refused: ['firing-1'], stale: [] });
      await store.changeSchedules([{ schedule: schedule(), firings: [firing()], notices: [notice()] }]);
      await store.deleteFunction('echo');
      expect(await store.schedules()).toEqual([]);
      expect(await store.openFirings({ after: '', limit: 10 })).toEqual([]);
      expect(await store.scheduleNotices()).toEqual([]);
    });

    it('forgets a schedule with what is open of it, and keeps what was', async () => {
      const past = firing({ id: 'past', scheduledAt: 0, state: 'succeeded', endedAt: 5 });
      await store.changeSchedules([{ schedule: schedule(), firings: [firing(), past], notices: [] }]);
      expect(await store.deleteSchedule('echo')).toBe(true);
      expect(await store.deleteSchedule('echo')).toBe(false);
      expect(await store.openFirings({ after: '', limit: 10 })).toEqual([]);
      expect(await store.firings({ functionName: 'echo', limit: 10 })).toEqual([past]);
    });
  });
}
