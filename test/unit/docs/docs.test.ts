import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config.ts';
import { CATALOGUE } from '../../../src/errors.ts';

async function tableRows(file: string): Promise<string[][]> {
  const text = await readFile(new URL(`../../../docs/${file}`, import.meta.url), 'utf8');
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split(' | ').map((cell) => cell.replaceAll(/^\| |[`|]/g, '').trim()));
}

describe('docs/errors.md', () => {
  it('has every error with its status, fault and title, and no other', async () => {
    const documented = (await tableRows('errors.md')).map((cells) => cells.slice(0, 4));
    const catalogue = Object.entries(CATALOGUE).map(([code, { status, fault, title }]) => [code, String(status), fault, title]);
    expect(documented.sort()).toEqual(catalogue.sort());
  });
});

describe('docs/security.md', () => {
  const FOLDERS = ['.', 'test/hostile', 'test/integration', 'test/unit', 'src', 'src/sandbox/bubblewrap'];
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const file = (named: string) => FOLDERS.flatMap((folder) => [named, `${named}.test.ts`].map((name) => join(root, folder, name))).find(existsSync);

  it('names in each row tests that there are', async () => {
    const text = await readFile(join(root, 'docs/security.md'), 'utf8');
    const rows = text.split('\n').filter((line) => /^\| (?!threat \||--- )/.test(line));
    expect(rows.length).toBeGreaterThan(40);
    for (const row of rows) {
      const tests = [...(row.split(' | ').at(-1) as string).matchAll(/`([^`]+)`/g)].map(([, named]) => named as string);
      expect(tests, row).not.toEqual([]);
      // A part of what a named test runs stands behind it in parentheses.
      expect(
        tests.filter((named) => named !== 'hardening-suite.ts' && !file(named)),
        row,
      ).toEqual([]);
    }
  });
});

describe('docs/reference/configuration.md', () => {
  it('names a variable that sets what it says', () => {
    const config = loadConfig(
      { HEARTH_GATEWAY_PORT: '8080', HEARTH_DRIVER: 'process', HEARTH_SANDBOX_EXTRA_BINDS: '/a,/b', PIP_INDEX_URL: 'x', OTHER: 'y' },
      '/somewhere',
    );
    expect(config).toMatchObject({
      gateway: { port: 8080 },
      sandbox: { driver: 'process', extra_binds: ['/a', '/b'] },
      data_dir: '/somewhere/data',
      pipEnvironment: { PIP_INDEX_URL: 'x' },
    });
  });
});
