// Writes docs/hearth.schema.json, which a test compares with what it is made from.
// Usage: node scripts/lib/write-schema.js
import { writeFileSync } from 'node:fs';
import { projectSchema } from '../../src/schemas/project.ts';

writeFileSync(new URL('../../docs/hearth.schema.json', import.meta.url), projectSchema());
