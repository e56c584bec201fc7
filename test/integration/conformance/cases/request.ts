import assert from 'node:assert/strict';
import { type Chapter, row } from '../case.ts';
import type { Seen } from '../probe.ts';
import { ECHOES, HANDLERS, LAMBDA, SCRIPTS, SERVERS, WAYS } from '../ways.ts';
import { headerOf, valuesOf } from './look.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const PARSES_ITSELF = 'is given the body alone, and parses it itself';

export const request: Chapter = {
  title: 'What the function sees of the request',
  ways: WAYS,
  cases: [
    row({
      name: 'the method',
      ask: (probe) => Promise.all(METHODS.map(async (method) => (await probe.report({ method })).method)),
      holds: (methods) => assert.deepEqual(methods, METHODS),
    }),
    row({
      name: 'the path in its canonical form, `%7e` as `~`',
      ask: (probe) => probe.report({ target: '/7/a%20b/c%2fd/%7ex' }),
      holds: ({ path }, probe) => assert.equal(path, probe.pathOf({ target: '/7/a%20b/c%2Fd/~x' })),
      differs: [
        {
          ways: [...SERVERS, ...LAMBDA, 'Node.js web'],
          reason: 'has the path as the caller wrote it, as any server has',
          holds: ({ path }, probe) => assert.equal(path, probe.pathOf({ target: '/7/a%20b/c%2fd/%7ex' })),
        },
      ],
    }),
    row({
      name: 'path and query as the caller wrote them',
      ask: (probe) => probe.report({ target: '/7/%7ex/{a}?q={b}&e=%C3%A9&p=a+b' }),
      holds: ({ target }, probe) => assert.equal(target, probe.pathOf({ target: '/7/%7ex/{a}?q={b}&e=%C3%A9&p=a+b' })),
      differs: [
        {
          ways: ['Node.js web'],
          reason: 'has a URL, which writes some characters in the path as `%…`: `{` is `%7B`',
          holds: ({ target }, probe) => assert.equal(target, probe.pathOf({ target: '/7/%7ex/%7Ba%7D?q={b}&e=%C3%A9&p=a+b' })),
        },
      ],
    }),
    row({
      name: 'parameters of the query, decoded: repeated, empty and bare ones',
      ask: (probe) => probe.report({ target: '/7/x?a=1&a=2&empty=&bare&e=%C3%A9&plus=a+b' }),
      holds: ({ queries }) => assert.deepEqual(queries, { a: ['1', '2'], empty: [''], bare: [''], e: ['é'], plus: ['a b'] }),
      differs: [
        {
          ways: LAMBDA,
          reason: 'has repeated values joined by commas, as API Gateway joins them',
          holds: ({ queries }) => assert.deepEqual(queries, { a: ['1,2'], empty: [''], bare: [''], e: ['é'], plus: ['a b'] }),
        },
      ],
    }),
    row({
      name: 'what `:name` and `*` of the event key matched, decoded',
      ask: (probe) => probe.report({ target: '/a%20b/c/d%2Fe' }),
      holds: ({ params }) => assert.deepEqual(params, { id: 'a b', '*': 'c/d/e' }),
      differs: [
        {
          ways: LAMBDA,
          reason: 'has `*` under the name `proxy`, as with API Gateway',
          holds: ({ params }) => assert.deepEqual(params, { id: 'a b', proxy: 'c/d/e' }),
        },
        {
          ways: [...SCRIPTS, ...SERVERS, 'Node.js web'],
          reason: 'is not told; it has the path',
          holds: ({ params }) => assert.equal(params, null),
        },
      ],
    }),
    row({
      name: 'headers with their values',
      ask: (probe) =>
        probe.report({
          headers: [
            ['X-One', 'a: b, c'],
            ['X-Empty', ''],
            ['Authorization', 'Bearer x.y'],
          ],
        }),
      holds: (seen) =>
        assert.deepEqual(
          ['x-one', 'x-empty', 'authorization'].flatMap((name) => valuesOf(seen, name)),
          ['a: b, c', '', 'Bearer x.y'],
        ),
    }),
    row({
      name: 'the case of names of headers',
      ask: (probe) => probe.report({ headers: [['X-MiXeD', 'x']] }),
      holds: ({ headers }) => assert.ok(headers.some(([name]) => name === 'X-MiXeD')),
      differs: [
        {
          ways: [...LAMBDA, 'Node.js web'],
          reason: 'has names in small letters',
          holds: ({ headers }) => assert.ok(headers.some(([name]) => name === 'x-mixed')),
        },
      ],
    }),
    row({
      name: 'a header that came twice, twice',
      ask: (probe) =>
        probe.report({
          headers: [
            ['X-Twice', 'a'],
            ['X-Twice', 'b'],
          ],
        }),
      holds: (seen) => assert.deepEqual(valuesOf(seen, 'x-twice'), ['a', 'b']),
      differs: [
        {
          ways: [...HANDLERS, 'Node.js web', ...LAMBDA],
          reason: 'has one value, joined by commas',
          holds: (seen) => assert.match(valuesOf(seen, 'x-twice').join('|'), /^a, ?b$/),
        },
      ],
    }),
    row({
      name: 'letters of Latin-1 in a header',
      ask: (probe) => probe.report({ headers: [['X-Name', 'Zoë']] }),
      holds: (seen) => assert.deepEqual(valuesOf(seen, 'x-name'), ['Zoë']),
    }),
    row({
      name: 'cookies',
      ask: (probe) => probe.report({ headers: [['Cookie', 'a=1; b=2']] }),
      holds: (seen) => assert.deepEqual(valuesOf(seen, 'cookie'), ['a=1; b=2']),
      differs: [
        {
          ways: LAMBDA,
          reason: 'has them apart, as the list `cookies`',
          holds: (seen) => assert.deepEqual(valuesOf(seen, 'cookie'), ['a=1', 'b=2']),
        },
      ],
    }),
    row({
      name: 'the host that the caller named',
      ask: (probe) => probe.report(),
      holds: (seen, probe) => assert.deepEqual(valuesOf(seen, 'host'), [new URL(probe.hearth.gateway).host]),
    }),
    row({
      name: '`X-Correlation-Id`, the platform’s own in place of the caller’s',
      ask: async (probe) => {
        const answer = await probe.send({ headers: [['X-Correlation-Id', 'forged']] });
        return { answer, seen: JSON.parse(answer.body.toString()) as Seen & { event?: Seen } };
      },
      holds: ({ answer, seen }) => {
        const id = headerOf(answer, 'x-correlation-id');
        assert.match(String(id), /^[0-9a-f-]{36}$/);
        const headers = seen.event?.headers ?? seen.headers;
        const pairs = Array.isArray(headers) ? headers : Object.entries(headers as Record<string, string>);
        assert.deepEqual(
          pairs.flatMap(([name, value]) => (name.toLowerCase() === 'x-correlation-id' ? [value] : [])),
          [id],
        );
      },
    }),
    row({
      name: '`X-Forwarded-For` and `X-Forwarded-Proto` of the connection, not what the caller says of it',
      ask: (probe) =>
        probe.report({
          headers: [
            ['X-Forwarded-For', '1.2.3.4'],
            ['X-Forwarded-Proto', 'https'],
            ['Forwarded', 'for=1.2.3.4'],
            ['X-Real-IP', '1.2.3.4'],
          ],
        }),
      holds: (seen) =>
        assert.deepEqual(
          ['x-forwarded-for', 'x-forwarded-proto', 'forwarded', 'x-real-ip'].map((name) => valuesOf(seen, name)),
          [['127.0.0.1'], ['http'], [], []],
        ),
    }),
    row({
      name: 'the caller’s `traceparent` and `tracestate`',
      ask: (probe) =>
        probe.report({
          headers: [
            ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
            ['tracestate', 'a=1'],
          ],
        }),
      holds: (seen) =>
        assert.deepEqual(
          ['traceparent', 'tracestate'].flatMap((name) => valuesOf(seen, name)),
          ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'a=1'],
        ),
    }),
    row({
      name: 'a JSON body, parsed',
      ask: (probe) => probe.report({ body: '{"n": [1, 2.5, "é", null, true]}', headers: [['Content-Type', 'application/json']] }),
      holds: ({ parsed }) => assert.deepEqual(parsed, { n: [1, 2.5, 'é', null, true] }),
      differs: [{ ways: [...SERVERS, ...LAMBDA, 'Node.js web'], reason: PARSES_ITSELF }],
    }),
    row({
      name: 'until when it has to answer',
      ask: (probe) => probe.report(),
      holds: ({ deadline }) => assert.ok(Math.abs(Number(deadline) - Date.now() - 60_000) < 30_000, `deadline ${deadline}`),
      differs: [
        { ways: [...SCRIPTS, ...SERVERS], reason: 'is not told', holds: ({ deadline }) => assert.equal(deadline, null) },
        { ways: ECHOES, reason: 'has it as the header `Lambda-Runtime-Deadline-Ms` of the event, which this probe does not hand on' },
      ],
    }),
  ],
};
