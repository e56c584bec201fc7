import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { projectSchema } from '../../../src/schemas/project.ts';

it('docs/hearth.schema.json is what it is made from: run `node scripts/lib/write-schema.js`', () => {
  expect(readFileSync(new URL('../../../docs/hearth.schema.json', import.meta.url), 'utf8')).toBe(projectSchema());
});
