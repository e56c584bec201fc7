import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';

test('the client knows the operations that the control plane has (scripts/lib/write-client.js)', async () => {
  const { describeOperations } = (await import(new URL('../../../scripts/lib/describe-operations.js', import.meta.url).href)) as {
    describeOperations: () => Promise<string>;
  };
  expect(await readFile(new URL('../../../src/client/operations.ts', import.meta.url), 'utf8')).toBe(await describeOperations());
}, 60_000);
