import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PAGES = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md', 'bench/**/*.md', 'runtimes/*/README.md'], {
  cwd: ROOT,
  exclude: (name) => name === 'node_modules',
}).sort();

const withoutBlocks = (page: string) => readFileSync(join(ROOT, page), 'utf8').replace(/^( *)(```+|~~~+).*\n[\s\S]*?^\1\2 *$/gm, '');

/** A page without what is code, where brackets mean something else. */
function prose(page: string): string {
  return withoutBlocks(page).replace(/(`+)[^`\n]+\1/g, (code) => code.replace(/[[\]()]/g, ' '));
}

/** What it leads to without leaving the repository: [its address, the file or folder that is meant, the anchor there]. */
function linksOf(page: string): { link: string; file: string; anchor: string | undefined }[] {
  const text = prose(page);
  const inline = [...text.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g)];
  const defined = [...text.matchAll(/^\[[^\]]+\]: (\S+)/gm)];
  const html = [...text.matchAll(/<(?:a|img|source)\s[^>]*(?:href|src|srcset)="([^"]+)"/g)];
  return [...inline, ...defined, ...html]
    .map(([, link]) => link as string)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [path = '', anchor] = link.split('#');
      return { link, file: path === '' ? page : relative(ROOT, resolve(ROOT, dirname(page), decodeURIComponent(path))), anchor };
    });
}

/** Of its headings, as forges make them: small letters, without punctuation, hyphens for spaces, a number for repeated ones. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of withoutBlocks(page).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-');
    let anchor = slug;
    for (let number = 1; anchors.has(anchor); number += 1) anchor = `${slug}-${number}`;
    anchors.add(anchor);
  }
  return anchors;
}

describe('links within the repository', () => {
  it('lead to what there is', () => {
    const dead = PAGES.flatMap((page) =>
      linksOf(page)
        .filter(({ file, anchor }) => {
          if (!existsSync(join(ROOT, file))) return true;
          return anchor !== undefined && (!file.endsWith('.md') || !anchorsOf(file).has(anchor));
        })
        .map(({ link }) => `${page}: ${link}`),
    );
    expect(dead).toEqual([]);
  });

  it('are seen at all', () => {
    expect(linksOf('README.md').length).toBeGreaterThan(10);
    expect(anchorsOf('docs/sandbox.md')).toContain('limits');
  });
});

describe('docs/README.md', () => {
  it('leads to every page of the documentation, or to its folder', () => {
    const linked = new Set(linksOf('docs/README.md').map(({ file }) => file));
    const folder = (page: string) => dirname(page) !== 'docs' && linked.has(dirname(page)) && statSync(join(ROOT, dirname(page))).isDirectory();
    const pages = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md');
    expect(pages.filter((page) => !linked.has(page) && !folder(page))).toEqual([]);
  });

  it('is where the README at the top sends its readers', () => {
    expect(linksOf('README.md').map(({ file }) => file)).toContain('docs/README.md');
  });
});
