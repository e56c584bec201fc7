import assert from 'node:assert/strict';
import { type Chapter, row } from '../case.ts';
import { FULL, SCRIPTS, SERVERS } from '../ways.ts';

const NAMELESS = 'is not told; give it one by `environment`';

export const surroundings: Chapter = {
  title: 'What is around the function',
  ways: FULL,
  cases: [
    row({
      name: 'variables of `environment`',
      ask: (probe) => probe.report(),
      holds: ({ environment }) => assert.equal(environment.GREETING, 'hello'),
    }),
    row({
      name: 'nothing of the platform’s environment',
      ask: (probe) => probe.report(),
      holds: ({ environment }) =>
        assert.deepEqual(
          Object.keys(environment).filter((name) => name.startsWith('HEARTH_')),
          [],
        ),
    }),
    row({
      name: 'secrets',
      ask: (probe) => probe.report(),
      holds: ({ secret, environment }) => assert.deepEqual([secret, environment.API_TOKEN], ['the-secret-value', 'the-secret-value']),
    }),
    row({
      name: '`/tmp` may be written',
      ask: (probe) => probe.report(),
      holds: ({ writable }) => assert.ok(writable.includes('/tmp')),
    }),
    row({
      name: 'nothing else may be written, but for the folder of its code',
      ask: (probe) => probe.report(),
      holds: ({ writable }) =>
        assert.deepEqual(
          writable.filter((folder) => !/^\/tmp$|\/function$/.test(folder)),
          [],
        ),
    }),
    row({
      name: 'the working folder is `/tmp`',
      ask: (probe) => probe.report(),
      holds: ({ folder }) => assert.equal(folder, '/tmp'),
      differs: [
        {
          ways: [...SERVERS, 'awslambdaric'],
          reason: 'is started in the folder of its code',
          holds: ({ folder }) => assert.match(folder, /\/function$/),
        },
      ],
    }),
    row({
      name: 'the name of the function',
      ask: (probe) => probe.report(),
      holds: ({ name }, probe) => assert.equal(name, probe.pathOf({ target: '' }).slice(1)),
      differs: [{ ways: [...SCRIPTS, ...SERVERS], reason: NAMELESS, holds: ({ name }) => assert.equal(name, null) }],
    }),
    row({
      name: 'the number of its version',
      ask: (probe) => probe.report(),
      holds: ({ version }) => assert.equal(version, '1'),
      differs: [
        {
          ways: FULL.filter((way) => way !== 'awslambdaric'),
          reason: 'is not told; the record of the invocation has it',
          holds: ({ version }) => assert.equal(version, undefined),
        },
      ],
    }),
    row({
      name: '`hearth.invoke`: other functions',
      ask: async (probe) => JSON.parse((await probe.order({ act: 'invoke', function: 'callee', payload: { number: 21 } })).body.toString()),
      holds: (answer) => assert.deepEqual(answer, { twice: 42 }),
      differs: [{ ways: [...SERVERS, 'awslambdaric'], reason: 'has it not: programs reach others by HTTP' }],
    }),
  ],
};
