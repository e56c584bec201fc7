// Writes docs/reference from the OpenAPI document, the schemas of project files and settings, and the table of commands; a test compares them.
// Usage: node scripts/lib/write-reference.js
import { writeFileSync } from 'node:fs';
import { describeReference } from './reference/describe-reference.js';

for (const [name, text] of Object.entries(await describeReference())) writeFileSync(new URL(`../../docs/reference/${name}`, import.meta.url), text);
