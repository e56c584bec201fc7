import type { FiringRecord, ScheduleRecord } from '../schemas/schedule.ts';
import type { Store, VersionPage } from '../store/store.ts';

const PAGE = 1000;

/** All schedules and all firings that are open, a page at a time. @throws HearthError store_unavailable */
export async function readSchedules(store: Pick<Store, 'schedules' | 'openFirings'>): Promise<{ records: ScheduleRecord[]; open: FiringRecord[] }> {
  return {
    records: await allPages(
      (page) => store.schedules(page),
      ({ functionName }) => functionName,
    ),
    open: await allPages(
      (page) => store.openFirings(page),
      ({ id }) => id,
    ),
  };
}

async function allPages<T>(read: (page: VersionPage) => Promise<T[]>, keyOf: (item: T) => string): Promise<T[]> {
  const all: T[] = [];
  for (let after = ''; ; ) {
    const page = await read({ after, limit: PAGE });
    all.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return all;
    after = keyOf(last);
  }
}
