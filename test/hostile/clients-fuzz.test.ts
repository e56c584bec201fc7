import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Hearth } from '../support/hearth.ts';
import { readCorpus } from './support/corpus.ts';
import { defineMirror, reachedMirror } from './support/mirror.ts';
import { parseAnswers, RawConnection } from './support/raw-connection.ts';

const SEEDS = [...readCorpus('framing.txt'), ...readCorpus('targets.txt')].map(({ bytes }) => bytes).filter((bytes) => bytes.length < 2000);
/** Requests that once broke a promise go into this file, and are tried first: the failing run prints them. */
const FOUND = readCorpus('found.txt').map(({ bytes }) => bytes);

let hearth: Hearth;
beforeAll(async () => {
  hearth = await Hearth.start({ settings: { HEARTH_GATEWAY_HEADERS_TIMEOUT_MS: '1500', HEARTH_GATEWAY_REQUEST_TIMEOUT_MS: '2000' } });
  await defineMirror(hearth);
});
afterAll(async () => hearth[Symbol.asyncDispose]());

const piece = fc.constantFrom(
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '0',
  '5',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Host: b\r\n',
  'Expect: 100-continue\r\n',
  '\xff',
  '%2e',
  'GET / HTTP/1.1\r\n',
);
/** A request of the corpus with something put in, taken out or put over, perhaps with another one behind it. */
const mutated = fc
  .tuple(
    fc.constantFrom(...SEEDS),
    fc.array(fc.tuple(fc.nat(), fc.nat(8), piece), { maxLength: 3 }),
    fc.option(fc.constantFrom(...SEEDS), { nil: '' }),
  )
  .map(([bytes, edits, behind]) => {
    let text = bytes;
    for (const [at, cut, put] of edits) {
      const index = at % (text.length + 1);
      text = text.slice(0, index) + put + text.slice(index + cut);
    }
    return text + behind;
  });

it('answers whatever it is sent with whole answers, one for each call of a function, and ends', async () => {
  await reachedMirror(hearth);
  await fc.assert(
    fc.asyncProperty(mutated, async (bytes) => {
      using connection = await RawConnection.open(hearth.gateway);
      connection.send(bytes).finish();
      // Our side has ended: whatever it was, the other one has to end as well.
      const answers = parseAnswers(await connection.closed(), /^HEAD/.test(bytes));
      const final = answers.filter(({ status }) => status >= 200);
      expect((await reachedMirror(hearth)).length).toBe(final.filter(({ status }) => status === 200).length);
      expect(final.every(({ status }) => status < 500 || status === 501 || status === 505)).toBe(true);
    }),
    { numRuns: 300, examples: FOUND.map((bytes) => [bytes] as [string]), endOnFailure: true },
  );
  expect(hearth.child.exitCode).toBeNull();
  expect(hearth.output).not.toContain('"level":"error"');
});
