import assert from 'node:assert/strict';
import { type Case, type Chapter, row } from '../case.ts';
import { type Answer, describe, type Order } from '../probe.ts';
import { FULL, SCRIPTS, SERVERS } from '../ways.ts';
import { headerOf, isProblem, valuesOf } from './look.ts';

const STATUSES = [200, 201, 202, 301, 400, 404, 418, 500, 503];
const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const MEBIBYTES_5 = 5 * 1024 * 1024;
/** Large enough for no two pieces to be read at once. Characters. */
const PIECE = 300_000;
const OBJECT = { text: 'é', list: [1, 2.5, null, true], deep: { er: {} } };

const SAYS_TYPE = 'says itself of what type its answer is';

const typeOf = (answer: Answer): string | undefined => headerOf(answer, 'content-type')?.toLowerCase().replaceAll(' ', '');
const parsed = ({ body }: Answer): unknown => JSON.parse(body.toString());

/** What comes of a value that a function returns. */
function valueCase(name: string, value: unknown, rest: Pick<Case<Answer>, 'holds' | 'differs'>): Case {
  return row<Answer>({ name, ask: (probe) => probe.order({ act: 'answer', value }), ...rest });
}

export const answers: Chapter = {
  title: 'What the caller gets',
  ways: FULL,
  cases: [
    row({
      name: `the status: ${STATUSES.join(', ')}`,
      ask: (probe) => Promise.all(STATUSES.map(async (status) => (await probe.order({ act: 'answer', status, text: 'x' })).status)),
      holds: (statuses) => assert.deepEqual(statuses, STATUSES),
    }),
    row({
      name: '204 without a body',
      ask: (probe) => probe.order({ act: 'answer', status: 204, headers: [['X-Own', 'x']] }),
      holds: (answer) =>
        assert.deepEqual([answer.status, headerOf(answer, 'x-own'), headerOf(answer, 'content-length'), answer.body.length], [204, 'x', null, 0]),
    }),
    row({
      name: '302 with its Location',
      ask: (probe) => probe.order({ act: 'answer', status: 302, headers: [['Location', '/elsewhere?a=1']] }),
      holds: (answer) => assert.deepEqual([answer.status, headerOf(answer, 'location'), answer.body.length], [302, '/elsewhere?a=1', 0]),
    }),
    row({
      name: '304 with its ETag',
      ask: (probe) => probe.order({ act: 'answer', status: 304, headers: [['ETag', '"1"']] }, { method: 'GET' }),
      holds: (answer) => assert.deepEqual([answer.status, headerOf(answer, 'etag'), answer.body.length], [304, '"1"', 0]),
    }),
    row({
      name: 'headers of its own, and Content-Type',
      ask: (probe) =>
        probe.order({
          act: 'answer',
          headers: [
            ['X-Own', 'a, b; c="d"'],
            ['Content-Type', 'text/csv'],
            ['Cache-Control', 'no-store'],
          ],
          text: 'a;b',
        }),
      holds: (answer) =>
        assert.deepEqual(
          [...['x-own', 'content-type', 'cache-control'].map((name) => headerOf(answer, name)), answer.body.toString()],
          ['a, b; c="d"', 'text/csv', 'no-store', 'a;b'],
        ),
    }),
    row({
      name: 'several cookies',
      ask: (probe) =>
        probe.order({
          act: 'answer',
          headers: [
            ['Set-Cookie', 'a=1; Path=/'],
            ['Set-Cookie', 'b=2; Expires=Wed, 09 Jun 2027 10:18:14 GMT'],
          ],
          text: 'x',
        }),
      holds: (answer) => assert.deepEqual(valuesOf(answer, 'set-cookie'), ['a=1; Path=/', 'b=2; Expires=Wed, 09 Jun 2027 10:18:14 GMT']),
      differs: [
        {
          ways: SCRIPTS,
          reason: 'answers by a message, whose headers have each name once: one cookie',
          holds: (answer) => assert.deepEqual(valuesOf(answer, 'set-cookie'), ['b=2; Expires=Wed, 09 Jun 2027 10:18:14 GMT']),
        },
      ],
    }),
    row({
      name: 'the platform’s own headers, not forged ones',
      ask: (probe) =>
        probe.order({
          act: 'answer',
          headers: [
            ['X-Correlation-Id', 'forged'],
            ['X-Serverless-Instance-Id', 'forged'],
            ['X-Hearth-Start', 'forged'],
            ['Server-Timing', 'forged'],
          ],
          text: 'x',
        }),
      holds: (answer) => {
        const found = ['x-correlation-id', 'x-serverless-instance-id', 'x-hearth-start', 'server-timing'].map((name) => valuesOf(answer, name));
        assert.deepEqual(
          found.map((values) => values.length),
          [1, 1, 1, 1],
        );
        assert.ok(!found.flat().includes('forged'));
      },
    }),
    row({
      name: 'all 256 values of a byte',
      ask: (probe) => probe.order({ act: 'answer', headers: [['Content-Type', 'application/octet-stream']], base64: ALL_BYTES.toString('base64') }),
      holds: (answer) => assert.deepEqual([answer.status, describe(answer.body)], [200, describe(ALL_BYTES)]),
    }),
    row({
      name: 'an empty body with 200',
      ask: (probe) => probe.order({ act: 'answer', headers: [['X-Own', 'x']] }),
      holds: (answer) => assert.deepEqual([answer.status, headerOf(answer, 'content-length'), answer.body.length], [200, '0', 0]),
    }),
    row({
      name: '5 MiB',
      ask: (probe) => probe.order({ act: 'answer', size: MEBIBYTES_5, headers: [['Content-Type', 'text/plain']] }),
      holds: (answer) => assert.deepEqual([answer.status, describe(answer.body)], [200, describe(Buffer.alloc(MEBIBYTES_5, '0123456789abcdef'))]),
    }),
    row<Answer>({
      name: 'a stream of pieces, as it comes',
      ask: (probe) => probe.order({ act: 'answer', pieces: ['a', 'ö', 'c'], each: PIECE }),
      holds: (answer) =>
        assert.deepEqual(
          [answer.status, headerOf(answer, 'transfer-encoding'), headerOf(answer, 'content-length'), answer.body.toString()],
          [200, 'chunked', null, 'aöc'.replaceAll(/./g, (letter) => letter.repeat(PIECE))],
        ),
      differs: [
        { ways: SCRIPTS, reason: 'answers by one message, which goes out whole' },
        { ways: ['awslambdaric'], reason: 'has a client that answers whole; other clients of Lambda can stream ([lambda.md](lambda.md))' },
      ],
    }),
    row<Answer>({
      name: 'text, as `text/plain` in UTF-8',
      ask: (probe) => probe.order({ act: 'answer', text: 'héllo ✓ 𝄞' }),
      holds: (answer) => assert.deepEqual([answer.status, typeOf(answer), answer.body.toString()], [200, 'text/plain;charset=utf-8', 'héllo ✓ 𝄞']),
    }),
    valueCase('an object, as JSON', OBJECT, {
      holds: (answer) => assert.deepEqual([answer.status, typeOf(answer), parsed(answer)], [200, 'application/json', OBJECT]),
    }),
    valueCase('a list, as JSON', [1, 'zwei', null], {
      holds: (answer) => assert.deepEqual([answer.status, typeOf(answer), parsed(answer)], [200, 'application/json', [1, 'zwei', null]]),
    }),
    valueCase('a number, as JSON', 1.5, {
      holds: (answer) => assert.deepEqual([answer.status, typeOf(answer), parsed(answer)], [200, 'application/json', 1.5]),
      differs: [
        {
          ways: SCRIPTS,
          reason: 'publishes bytes, and these do not begin like JSON: `text/plain`, unless the message has a `content_type`',
          holds: (answer) => assert.deepEqual([answer.status, typeOf(answer), parsed(answer)], [200, 'text/plain;charset=utf-8', 1.5]),
        },
      ],
    }),
    valueCase('text that is returned, as it is', 'plain ✓', {
      holds: (answer) => assert.deepEqual([answer.status, typeOf(answer), answer.body.toString()], [200, 'text/plain;charset=utf-8', 'plain ✓']),
      differs: [
        { ways: [...SCRIPTS, ...SERVERS, 'Node.js web'], reason: 'returns nothing: it writes the bytes itself' },
        {
          ways: ['awslambdaric'],
          reason: 'has the type `application/json`, as with Lambda',
          holds: (answer) => assert.deepEqual([answer.status, typeOf(answer), answer.body.toString()], [200, 'application/json', 'plain ✓']),
        },
      ],
    }),
    valueCase('nothing, as 204', null, {
      holds: (answer) => assert.deepEqual([answer.status, answer.body.length], [204, 0]),
      differs: [
        { ways: [...SERVERS, 'Node.js web'], reason: SAYS_TYPE },
        {
          ways: ['awslambdaric'],
          reason: 'is a 200 with the JSON `null`, as with Lambda',
          holds: (answer) => assert.deepEqual([answer.status, answer.body.toString()], [200, 'null']),
        },
      ],
    }),
    row({
      name: 'HEAD: the head of the answer to GET, without its body',
      ask: (probe) => probe.order({ act: 'answer', headers: [['X-Own', 'x']], text: 'four' }, { method: 'HEAD' }),
      holds: (answer) =>
        assert.deepEqual([answer.status, headerOf(answer, 'x-own'), headerOf(answer, 'content-length'), answer.body.length], [200, 'x', '4', 0]),
    }),
    row<Answer>({
      name: 'a status that is none (99): 502 `invalid_reply`',
      ask: (probe) => probe.order({ act: 'answer', status: 99, text: 'x' } satisfies Order),
      holds: (answer) => isProblem(answer, 502, 'invalid_reply'),
      differs: [
        { ways: SERVERS, reason: 'gives no answer with that: `function_failed`', holds: (answer) => isProblem(answer, 502, 'function_failed') },
        {
          ways: ['Node.js web'],
          reason: 'can make no `Response` of it: `function_failed`',
          holds: (answer) => isProblem(answer, 502, 'function_failed'),
        },
      ],
    }),
    row<Answer>({
      name: 'asynchronously: 202 at once, the answer by the record',
      ask: async (probe) => {
        const accepted = await probe.order({ act: 'answer', status: 201, text: 'later' }, { headers: [['Prefer', 'respond-async']] });
        const record = await probe.record(accepted, ({ state }) => state === 'succeeded');
        return { ...accepted, headers: [...accepted.headers, ['x-recorded', String(record.status)]] };
      },
      holds: (answer) => assert.deepEqual([answer.status, headerOf(answer, 'x-recorded')], [202, '201']),
    }),
  ],
};
