import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { tar } from './tar.ts';

it('is an archive that tar lists and unpacks', () => {
  const long = 'x'.repeat(1500);
  const archive = tar({ Dockerfile: 'FROM scratch\n', 'folder/long.txt': long, empty: '' });
  expect(archive.length % 512).toBe(0);
  const list = spawnSync('tar', ['-tvf', '-'], { input: archive, encoding: 'utf8' });
  expect(list.stderr).toBe('');
  expect(
    list.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/).filter(Boolean))
      .map((fields) => [fields[0], fields[2], fields.at(-1)]),
  ).toEqual([
    ['-rw-r--r--', '13', 'Dockerfile'],
    ['-rw-r--r--', '1500', 'folder/long.txt'],
    ['-rw-r--r--', '0', 'empty'],
  ]);
  expect(spawnSync('tar', ['-xOf', '-', 'folder/long.txt'], { input: archive, encoding: 'utf8' }).stdout).toBe(long);
});

it('takes no name that its header has no room for', () => {
  expect(() => tar({ ['n'.repeat(101)]: '' })).toThrow('too long');
});
