import { describe, expect, it } from 'vitest';
import { flameGraph } from '../../../bench/lib/flame-graph.ts';
import { fold } from '../../../bench/lib/perf.ts';

const SAMPLES = `node-MainThread 
\tffffffff81e0 __x64_sys_writev+0x1f ([kernel.kallsyms])
\t7f00aa10 JS:*submit file:///srv/hearth/src/scheduler/scheduler.ts:63:9 (/tmp/perf-12.map)
\t      55 [unknown] (/usr/bin/node)
\t      56 node::(anonymous namespace)::Start(int, char**) (/usr/bin/node)

node-MainThread 
\t7f00aa10 JS:o+ file:///srv/hearth/src/scheduler/scheduler.ts:63:9 (/tmp/perf-12.map)
\t      56 node::(anonymous namespace)::Start(int, char**) (/usr/bin/node)

python3 
\t    5aa0 _PyEval_EvalFrameDefault+0x1 (/usr/bin/python3.11)

swapper 
\tffffffff8100 default_idle ([kernel.kallsyms])

`;

describe('fold', () => {
  it('counts stacks from the outermost frame on, says where each frame belongs, and leaves idle cores out', () => {
    expect([...fold(SAMPLES)]).toEqual([
      ['node-MainThread;node::Start;submit scheduler/scheduler.ts:63_[j];__x64_sys_writev_[k]', 1],
      ['node-MainThread;node::Start;(anonymous) scheduler/scheduler.ts:63_[j]', 1],
      ['python3;_PyEval_EvalFrameDefault_[p]', 1],
    ]);
  });
});

describe('flameGraph', () => {
  it('draws callers with the share of all that they call', () => {
    const svg = flameGraph('a <b>', fold(SAMPLES));
    expect(svg).toContain('>a &lt;b&gt;<');
    expect(svg).toContain('<title>node-MainThread: 66.7 %</title>');
    expect(svg).toContain('<title>submit scheduler/scheduler.ts:63: 33.3 %</title><rect class="j"');
    expect(svg).not.toContain('default_idle');
  });
});
