import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { selectDriver } from '../../../src/sandbox/select-driver.ts';
import { driverOptions } from './support.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A PATH whose first bwrap is the given script. */
function pathWith(script: string, mode: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-test-path-'));
  folders.push(folder);
  // Sandboxes' users must be able to run it.
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'bwrap'), script);
  chmodSync(join(folder, 'bwrap'), mode);
  return `${folder}:/usr/sbin:/usr/bin:/sbin:/bin`;
}

it('takes bubblewrap where it works', async () => {
  const driver = await selectDriver('bubblewrap', driverOptions());
  expect(driver.name).toBe('bubblewrap');
  expect(driver.warnings.join(' ')).not.toMatch(/NO ISOLATION/);
  expect(driver.networks()).toContain('none');
  await driver.close();
});

it('takes the process driver by name only', async () => {
  const driver = await selectDriver('process', driverOptions());
  expect(driver.name).toBe('process');
  expect(driver.warnings).not.toEqual([]);
  await driver.close();
});

it('refuses a bwrap that is setuid, and says how to mend it', async () => {
  const path = pathWith('#!/bin/sh\necho bubblewrap 0.8.0\n', 0o4755);
  await expect(selectDriver('bubblewrap', driverOptions({ path }))).rejects.toMatchObject({
    code: 'sandbox_unavailable',
    message: expect.stringMatching(/setuid.*chmod u-s/),
  });
});

it('refuses a bwrap that is too old', async () => {
  const path = pathWith('#!/bin/sh\necho bubblewrap 0.3.3\n', 0o755);
  await expect(selectDriver('bubblewrap', driverOptions({ path }))).rejects.toMatchObject({ message: expect.stringContaining('0.4.0 or later') });
});

it('refuses where namespaces are forbidden, with what bwrap says and the other way', async () => {
  const script =
    '#!/bin/sh\nif [ "$1" = --version ]; then echo bubblewrap 0.8.0; else echo "bwrap: No permissions to create new namespace" >&2; exit 1; fi\n';
  await expect(selectDriver('bubblewrap', driverOptions({ path: pathWith(script, 0o755) }))).rejects.toMatchObject({
    code: 'sandbox_unavailable',
    message: expect.stringMatching(/No permissions to create new namespace.*driver `process` by name/),
    extra: { failed: [expect.objectContaining({ name: 'sandbox', ok: false })] },
  });
});

it('refuses a Python that is missing', async () => {
  await expect(selectDriver('bubblewrap', driverOptions({ python: 'python-none' }))).rejects.toMatchObject({
    message: expect.stringContaining('python-none'),
  });
});
