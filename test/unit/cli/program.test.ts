import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/cli-error.ts';
import { hintFor } from '../../../src/cli/hints.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { similar } from '../../../src/cli/similar.ts';

const leavesOf = (command: Command, before = ''): [name: string, command: Command][] =>
  command.commands.flatMap((one) =>
    one.commands.length > 0 ? leavesOf(one, `${before}${one.name()} `) : [[`${before}${one.name()}`, one] as [string, Command]],
  );

describe('the commands', () => {
  const leaves = leavesOf(createProgram('1.2.3', {}));

  it('all speak JSON, but for those whose output is for shells and for nobody', () => {
    const silent = leaves.filter(([, { options }]) => !options.some(({ long }) => long === '--json')).map(([name]) => name);
    expect(silent).toEqual(['up', 'completion', 'complete']);
  });

  it('say what they and their options do', () => {
    const unsaid = leaves.flatMap(([name, command]) => [
      ...(command.description() === '' ? [name] : []),
      ...command.options.filter((option) => !option.hidden && option.description === '').map((option) => `${name} ${option.flags}`),
    ]);
    expect(unsaid).toEqual([]);
  });

  it('include those of the course, with its options', () => {
    const known = (name: string) => leaves.find(([leaf, command]) => leaf === name || command.aliases().includes(name))?.[1];
    const options = (name: string) => known(name)?.options.flatMap(({ long, short }) => [long, short]);
    expect(options('create')).toEqual(
      expect.arrayContaining(['--name', '--http-verb', '-X', '--http-path', '-P', '--code-file', '-f', '--platform-uri']),
    );
    expect(options('trigger')).toEqual(expect.arrayContaining(['--http-verb', '-X', '--http-path', '-P', '--http-body', '-d', '-H']));
    expect(options('list')).toContain('--filter');
    for (const name of ['delete', 'logs', 'list-instances', 'lookup-instance']) expect(options(name), name).toContain('--platform-uri');
  });
});

it('docs/cli.md lists every exit code', async () => {
  const text = await readFile(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
  const documented = [...text.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  expect(documented).toEqual([...Object.values(EXIT), 130]);
});

it.each([
  ['lst', 'list'],
  ['redriv', 'redrive'],
  ['dead', 'dead-letters'],
  ['bild', 'build'],
  ['xyzzy', undefined],
  ['x', undefined],
])('%s may mean %s', (word, meant) => {
  expect(similar(word, ['list', 'build', 'dead-letters', 'redrive'])).toBe(meant);
});

it.each([
  ['GET /functions/{function_name}', 'not_found', 'There is no function "ecko".', 'hearth list'],
  ['GET /functions/{function_name}/versions/{number}', 'not_found', 'There is no version 9.', 'hearth versions'],
  ['POST /schedules/{function_name}/pause', 'not_found', 'There is no schedule.', 'hearth schedules'],
  ['DELETE /layers/{layer}', 'not_found', 'There is no layer.', 'hearth layers'],
  ['GET /functions', 'unauthenticated', 'This needs a token.', 'HEARTH_TOKEN'],
] as const)('%s that ends with %s leads on', (operation, code, said, next) => {
  expect(hintFor(operation, code, said)).toContain(next);
});

it('what leads on already is left as it is', () => {
  expect(hintFor('GET /functions/{function_name}', 'not_found', 'There is none; `hearth list` has them.')).toBe('');
  expect(hintFor('POST /functions', 'invalid_code', 'line 1')).toBe('');
});
