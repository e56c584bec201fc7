import { differenceOf } from './case.ts';
import { CHAPTERS } from './chapters.ts';

/** The page that is made from the cases. */
export const PAGE = new URL('../../../docs/conformance.md', import.meta.url);

const HEAD = `# Which way gives what

A function can be written in several ways: as a script, a handler or a program that serves HTTP, in Python or Node.js, as a web function, or for a client of AWS Lambda's Runtime API (here: \`awslambdaric\` for Python, \`aws-lambda-go\`,
and a shell script with curl). This page says what holds for all of them and where they differ. It is made from the tests (\`test/integration/conformance\`), which ask every way each of these things, the differences included; a test fails when the page and
the tests don't say the same.

Rust's client of Lambda and that for Node.js get the same events and answer by the same requests; [examples/lambda](../examples/lambda) tries each.

**yes**: it is so. **[1]**: it is different; the note of that number below the table says how. **—**: there is nothing to ask.
`;

/** docs/conformance.md as it should be. */
export function conformancePage(): string {
  return `${HEAD}${CHAPTERS.map(chapterOf).join('')}`;
}

function chapterOf({ title, ways, cases }: (typeof CHAPTERS)[number]): string {
  const notes: string[] = [];
  const note = (reason: string): string => {
    if (!notes.includes(reason)) notes.push(reason);
    return `[${notes.indexOf(reason) + 1}]`;
  };
  const rows = cases.map((one) => {
    const cells = ways.map((way) => {
      const difference = differenceOf(one, way);
      return difference ? `${difference.holds ? '' : '— '}${note(difference.reason)}` : 'yes';
    });
    return `| ${[one.name, ...cells].join(' | ')} |\n`;
  });
  const head = `| ${['', ...ways].join(' | ')} |\n| ${['---', ...ways.map(() => ':---:')].join(' | ')} |\n`;
  return `\n## ${title}\n\n${head}${rows.join('')}${notes.length > 0 ? `\n${notes.map((reason, at) => `${at + 1}. It ${reason}.\n`).join('')}` : ''}`;
}
