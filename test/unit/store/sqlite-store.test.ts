import { describe } from 'vitest';
import { storeConformance } from './store-conformance.ts';
import { openTemporaryStore } from './temporary-store.ts';

describe('the SQLite store', () => storeConformance(openTemporaryStore));
