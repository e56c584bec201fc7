// Writes src/client/operations.ts from the API's own description, which a test compares with it.
// Usage: node scripts/lib/write-client.js
import { writeFileSync } from 'node:fs';
import { describeOperations } from './describe-operations.js';

writeFileSync(new URL('../../src/client/operations.ts', import.meta.url), await describeOperations());
