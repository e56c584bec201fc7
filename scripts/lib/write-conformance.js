// Writes docs/conformance.md, which a test compares with what it is made from.
// Usage: node scripts/lib/write-conformance.js
import { writeFileSync } from 'node:fs';
import { conformancePage, PAGE } from '../../test/integration/conformance/table.ts';

writeFileSync(PAGE, conformancePage());
