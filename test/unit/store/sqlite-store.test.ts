import { describe } from 'vitest';
import { accessConformance } from './access-conformance.ts';
import { scheduleConformance } from './schedule-conformance.ts';
import { storeConformance } from './store-conformance.ts';
import { openTemporaryStore } from './temporary-store.ts';

describe('the SQLite store', () => {
  storeConformance(openTemporaryStore);
  accessConformance(openTemporaryStore);
  scheduleConformance(openTemporaryStore);
});
