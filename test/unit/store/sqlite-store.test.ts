import { describe } from 'vitest';
import { accessConformance } from './access-conformance.ts';
import { scheduleConformance } from './schedule-conformance.ts';
import { storeConformance } from './store-conformance.ts';
import { openTemporaryStore } from './temporary-store.ts';

describe('the SQLite store', () => {
  // Each with hooks of its own.
  describe('keeps', () => storeConformance(openTemporaryStore));
  describe('keeps of access', () => accessConformance(openTemporaryStore));
  describe('keeps of schedules', () => scheduleConformance(openTemporaryStore));
});
