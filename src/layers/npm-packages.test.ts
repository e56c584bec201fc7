import { expect, test } from 'vitest';
import { normalisePackages, packagesText } from './npm-packages.ts';

const text = (description: unknown, lock?: unknown, scripts = false) => packagesText({ package: description, lock, scripts });

test('an object and its text are the same, and what decides about no package is left out', () => {
  const description = { name: 'mine', dependencies: { ms: '^2.1.3' } };
  expect(text(JSON.stringify(description))).toBe(text(description));
  expect(text({ ...description, scripts: { postinstall: 'rm -rf /' }, main: 'x.js' })).toBe(text(description));
  expect(text(description, undefined, true)).not.toBe(text(description));
});

test('what asks for no package is empty', () => {
  expect(normalisePackages(text({ name: 'mine' }))).toBe('');
  expect(normalisePackages(text({ dependencies: {} }))).toBe('');
  expect(normalisePackages(text({ dependencies: { ms: '*' } }))).not.toBe('');
});

test.each(['1.2.3', '^1 || >=2.0.0-rc.1 <3', 'latest', '', '*', 'npm:other@^1', 'npm:@scope/other@1', 'https://example.org/a.tgz'])(
  'the specifier %j is taken',
  (specifier) => {
    expect(text({ dependencies: { '@scope/a': specifier } })).toContain(JSON.stringify(specifier));
  },
);

test.each(['file:../x', '../x', 'git+https://example.org/a.git', 'github:a/b', 'a/b', 'http://example.org/a.tgz', 'workspace:*', 'link:x', 7])(
  'the specifier %j is refused, and named',
  (specifier) => {
    expect(() => text({ dependencies: { a: specifier } })).toThrow(/^package_json: dependencies\.a: /);
  },
);

test.each([
  ['package_json', '{', undefined],
  ['package_json', [], undefined],
  ['package_json', { dependencies: { '../a': '1' } }, undefined],
  ['package_json', { dependencies: ['a'] }, undefined],
  ['package_lock', {}, { lockfileVersion: 1, dependencies: {} }],
  ['package_lock', {}, { lockfileVersion: 3, packages: { 'node_modules/a': { resolved: 'git+ssh://git@example.org/a.git' } } }],
  ['package_lock', {}, { lockfileVersion: 3, packages: { 'node_modules/a': { resolved: '../a', link: true } } }],
])('%s of %j and %j is refused', (member, description, lock) => {
  expect(() => text(description, lock)).toThrow(new RegExp(`^${member}: `));
});
