import { expect, test } from 'vitest';
import { namedFirst } from './named-first.ts';
import type { ProjectFunction } from './read-project.ts';

const order = (...functions: [name: string, settings?: Partial<ProjectFunction>][]) =>
  namedFirst(functions.map(([name, settings]) => ({ function_name: name, event_type: `http|POST|/${name}`, ...settings }))).map(
    (one) => one.function_name,
  );

test('functions that others name are deployed before them', () => {
  expect(order(['a', { invokes: ['c'] }], ['b', { destinations: { on_failure: { function: 'd' } } }], ['c', { invokes: ['d'] }], ['d'])).toEqual([
    'd',
    'c',
    'a',
    'b',
  ]);
  expect(order(['a', { schedule: { on_failure: { after: 1, function: 'b' }, on_recovery: { function: 'c' } } }], ['b'], ['c'])).toEqual([
    'b',
    'c',
    'a',
  ]);
});

test('names of elsewhere and destinations that are no functions change nothing, and in a circle somebody is first', () => {
  const url = { url: 'https://example.com/hook' };
  expect(order(['a', { invokes: ['a', 'elsewhere'] }], ['b', { destinations: { on_success: url } }])).toEqual(['a', 'b']);
  expect(order(['a', { invokes: ['b'] }], ['b', { invokes: ['a'] }], ['c'])).toEqual(['b', 'a', 'c']);
});
