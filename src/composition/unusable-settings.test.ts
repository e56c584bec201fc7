import { expect, it } from 'vitest';
import { loadConfig } from '../config.ts';
import { unusableSettings } from './unusable-settings.ts';

const failed = (...names: string[]) => names.map((name) => ({ name, ok: false, detail: 'no' }));
const found = (environment: Record<string, string>, probes: string[], networks: readonly ('none' | 'egress' | 'host')[] = ['none']) =>
  unusableSettings(loadConfig(environment, '/'), failed(...probes), networks);

it('is content with what there is where nothing is set', () => {
  expect(found({}, ['node auto', 'network egress', 'limits memory'])).toEqual([]);
});

it.each([
  [{ HEARTH_SANDBOX_NODE: 'auto,/opt/node' }, ['node auto', 'node /opt/node'], ['sandbox.node has /opt/node, which can not be used.']],
  [{ HEARTH_SANDBOX_NETWORK: 'egress' }, ['network egress'], ['sandbox.network is egress, which can not be had.']],
  [{ HEARTH_SANDBOX_NETWORK: 'none' }, ['network egress'], []],
  [
    { HEARTH_SANDBOX_LIMITS: 'require' },
    ['limits memory', 'limits cpu', 'limits files'],
    ['sandbox.limits is require, and memory, cpu can not be bounded.'],
  ],
  [
    { HEARTH_DATABASE_URL: 'postgres://me:secret@db:port/x' },
    [],
    [expect.stringMatching(/^Configuration: database\.url is to be of the form(?!.*:secret)/)],
  ],
])('%j with failed %j is %j', (environment, probes, sentences) => {
  expect(found(environment as Record<string, string>, probes)).toEqual(sentences);
});
