import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isAsWritten, shellBlocks } from '../../support/written-session.ts';

/** Of the stage `acceptance`, which goes through these pages. */
describe('the shell blocks of a page', () => {
  it.each(['README.md', 'docs/tutorial.md'])('of %s can all be read', (page) => {
    const blocks = shellBlocks(readFileSync(new URL(`../../../${page}`, import.meta.url), 'utf8'));
    expect(blocks[0]?.typed).toBe('scripts/up\n');
    expect(blocks.filter(({ printed }) => printed !== undefined).length).toBeGreaterThan(1);
  });

  it('have what is printed directly below them; other text is what is printed by what goes on', () => {
    const page = '# One\n```sh\na\n```\n\n```text\nb\n```\n\n## Two\n```sh\nc\n```\nand then:\n```json\nd\n```\n```python\ne\n```\n';
    expect(shellBlocks(page)).toEqual([
      { section: 'One', typed: 'a\n', printed: 'b\n' },
      { section: 'Two', typed: 'c\n', printed: undefined },
      { section: 'Two', typed: undefined, printed: 'd\n' },
    ]);
  });

  it.each(['```bash\na\n```\n', '```console\n$ a\n```\n', '1. a\n   ```sh\n   b\n   ```\n', '```sh title\na\n```\n', '~~~sh\na\n~~~\n'])(
    'are refused where they would not be run: %j',
    (page) => {
      expect(() => shellBlocks(page)).toThrow(/block/);
    },
  );
});

describe('what is printed', () => {
  it.each([
    ['a\nb', 'a\nb\n'],
    ['a 1.5 ms', 'a … ms'],
    ['a\nx\ny\nb', 'a\n…\nb'],
    ['a\nb', '…\na\n…\nb\n…'],
  ])('%j is as written in %j', (printed, written) => {
    expect(isAsWritten(printed, written)).toBe(true);
  });

  it.each([
    ['a\nb', 'a'],
    ['ab', 'a'],
    ['a\nx\nb', 'a…b'],
    ['xb', '…\nb'],
    ['', 'a'],
    ['a.c', 'a?c'],
  ])('%j is not as written in %j', (printed, written) => {
    expect(isAsWritten(printed, written)).toBe(false);
  });
});
