import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';

describe('docs/reference', () => {
  let made: Record<string, string>;

  beforeAll(async () => {
    const { describeReference } = (await import(new URL('../../../scripts/lib/reference/describe-reference.js', import.meta.url).href)) as {
      describeReference: () => Promise<Record<string, string>>;
    };
    made = await describeReference();
  }, 60_000);

  it.each(['api.md', 'definition.md', 'configuration.md', 'cli.md'])(
    '%s is what it is made from: run `node scripts/lib/write-reference.js`',
    async (name) => {
      expect(await readFile(new URL(`../../../docs/reference/${name}`, import.meta.url), 'utf8')).toBe(made[name]);
    },
  );

  it('leaves no setting, member or parameter unexplained', () => {
    const silent = ['definition.md', 'configuration.md'].flatMap((name) =>
      (made[name] as string).split('\n').filter((line) => line.startsWith('| `') && line.split(' | ').some((text) => text.trim() === '')),
    );
    expect(silent.filter((line) => !line.startsWith('| `requirements_file`') && !line.startsWith('| `defaults`'))).toEqual([]);
  });
});
