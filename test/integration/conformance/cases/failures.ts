import assert from 'node:assert/strict';
import { until } from '../../../support/hearth.ts';
import { type Chapter, row } from '../case.ts';
import type { Probe } from '../probe.ts';
import { FULL, PYTHON, SCRIPTS, SERVERS } from '../ways.ts';
import { headerOf, isProblem } from './look.ts';

const AT_A_TIME = 6;

/** That the function answers again. It is asked until it does: a deadline may be over before a new instance has started. */
async function works(probe: Probe, of: '' | '-slow' | '-small'): Promise<void> {
  await until(async () => (await probe.order({ act: 'answer', text: 'well' }, { of })).status === 200);
}

export const failures: Chapter = {
  title: 'When it goes wrong, and many at once',
  ways: FULL,
  cases: [
    row({
      name: 'an error that is raised: 502 `function_failed` with type and message',
      ask: (probe) => probe.order({ act: 'raise' }),
      holds: (answer, { way }) => {
        const { function_error: error } = isProblem(answer, 502, 'function_failed') as { function_error: { type: string; message: string } };
        assert.deepEqual([error.type, error.message], [PYTHON.includes(way) ? 'ValueError' : 'RangeError', 'asked to fail']);
      },
      differs: [
        {
          ways: SCRIPTS,
          reason: 'ends with an exit code, which the answer has; the error stands in the record',
          holds: (answer) => assert.match(String(isProblem(answer, 502, 'function_failed').detail), /exit code 1|code 1/),
        },
        {
          ways: SERVERS,
          reason:
            'answers errors itself, most often by 500; these probes close the connection or end, which is `function_failed` with what they printed',
          holds: (answer) => isProblem(answer, 502, 'function_failed'),
        },
      ],
    }),
    row({
      name: 'the call after an error is answered',
      ask: async (probe) => {
        await probe.order({ act: 'raise' });
        return probe.order({ act: 'answer', text: 'well' });
      },
      holds: (answer) => assert.deepEqual([answer.status, answer.body.toString()], [200, 'well']),
    }),
    row({
      name: 'the record has the failure, and what was printed about it',
      ask: async (probe) => probe.record(await probe.order({ act: 'raise' })),
      holds: (record) => {
        assert.deepEqual([record.state, record.error_code], ['failed', 'function_failed']);
        assert.match(String(record.logs), /Error: asked to fail/);
      },
    }),
    row({
      name: 'what is printed stands in the record of the call',
      ask: async (probe) => (await probe.record(await probe.order({ act: 'print', out: 'to the output', err: 'to the errors' }))).logs,
      holds: (logs) => assert.deepEqual(String(logs).trimEnd().split('\n').sort(), ['to the errors', 'to the output']),
    }),
    row({
      name: 'the deadline passes: 504 `deadline_exceeded`',
      ask: async (probe) => {
        const answer = await probe.order({ act: 'hang' }, { of: '-slow' });
        await works(probe, '-slow');
        return answer;
      },
      holds: (answer) => isProblem(answer, 504, 'deadline_exceeded'),
    }),
    row({
      name: 'more than `memory_mb`: 502 `out_of_memory`, and the next call is answered',
      ask: async (probe) => {
        const answer = await probe.order({ act: 'fill' }, { of: '-small' });
        await works(probe, '-small');
        return answer;
      },
      holds: (answer) => isProblem(answer, 502, 'out_of_memory'),
    }),
    row({
      name: 'its process ends: 502 `function_crashed`, and the next call is answered',
      ask: async (probe) => {
        const answer = await probe.order({ act: 'exit' });
        await works(probe, '');
        return answer;
      },
      holds: (answer) => isProblem(answer, 502, 'function_crashed'),
      differs: [
        {
          ways: SCRIPTS,
          reason: 'is a process of its own for each call: `function_failed`, with its exit code',
          holds: (answer) => assert.match(String(isProblem(answer, 502, 'function_failed').detail), /7/),
        },
        {
          ways: [...SERVERS, 'awslambdaric', 'Node.js handler', 'Node.js web'],
          reason: 'is seen to end by the runtime beside it: `function_failed`, with its exit code',
          holds: (answer) => assert.match(String(isProblem(answer, 502, 'function_failed').detail), /7/),
        },
      ],
    }),
    row({
      name: `${AT_A_TIME} calls at a time, each with its own answer`,
      ask: (probe) => Promise.all(Array.from({ length: AT_A_TIME }, (_, n) => probe.order({ act: 'answer', text: `answer ${n}` }))),
      holds: (answers) => {
        assert.deepEqual(
          answers.map(({ body }) => body.toString()),
          answers.map((_, n) => `answer ${n}`),
        );
        assert.equal(new Set(answers.map((answer) => headerOf(answer, 'x-correlation-id'))).size, AT_A_TIME);
      },
    }),
  ],
};
