import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { engineView } from './path-mapping.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'hearth-test-paths-')));
afterAll(() => rmSync(folder, { recursive: true }));
const dataFolder = join(folder, 'data');
mkdirSync(join(dataFolder, 'layers/a'), { recursive: true });
mkdirSync(join(folder, 'data-of-others'));
symlinkSync(join(dataFolder, 'layers'), join(folder, 'link'));

it('is the path itself, links resolved, where both see the same machine', () => {
  expect(engineView(join(folder, 'link/a'), { dataFolder, engineDataFolder: dataFolder })).toBe(join(dataFolder, 'layers/a'));
});

it('is below the folder as the engine knows it, where that is another', () => {
  const settings = { dataFolder, engineDataFolder: '/srv/hearth' };
  expect(engineView(join(dataFolder, 'layers/a'), settings)).toBe('/srv/hearth/layers/a');
  expect(engineView(dataFolder, settings)).toBe('/srv/hearth');
});

it('is refused for what lies elsewhere, since nobody knows where the engine would find it', () => {
  const settings = { dataFolder, engineDataFolder: '/srv/hearth' };
  expect(() => engineView(join(folder, 'data-of-others'), settings)).toThrow('docker.host_data_dir');
});
