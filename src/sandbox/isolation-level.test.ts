import { expect, it } from 'vitest';
import { isolationLevel } from './isolation-level.ts';

const good = { name: 'seccomp', ok: true, detail: 'loaded' };
const bad = { name: 'sandbox', ok: false, detail: 'no namespaces; run this' };

it('is full where every check holds, and where only something that has nothing to do with isolation is missing', () => {
  expect(isolationLevel([good], ['none'])).toEqual({ level: 'full', lacking: [] });
  for (const name of ['network egress', 'node image', 'node image mine:1'])
    expect(isolationLevel([good, { name, ok: false, detail: 'not there' }], ['none'])).toEqual({ level: 'full', lacking: [] });
});

it('is reduced where the platform runs with less, and says with what', () => {
  const limit = { name: 'limits memory', ok: false, detail: 'no cgroup' };
  expect(isolationLevel([good, limit], ['none', 'egress'])).toEqual({ level: 'reduced', lacking: ['limits memory: no cgroup'] });
});

it('is none where no sandbox can be made', () => {
  expect(isolationLevel([good, bad], [])).toEqual({ level: 'none', lacking: ['sandbox: no namespaces; run this'] });
});
