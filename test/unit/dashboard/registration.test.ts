import { expect, it } from 'vitest';
import { withCode } from '../../../dashboard/src/pages/function/registration.ts';
import { FUNCTION } from '../../../src/api/examples/function.ts';
import type { ResponseOf } from '../../../src/client/client.ts';

const FUNCTION_DETAIL = {
  ...FUNCTION,
  memory_mb: null,
  layers: ['default'],
  function_code: 'old',
  bundle: null,
  requirements: null,
  environment: {},
} as unknown as ResponseOf<'GET /functions/{function_name}'>;

const LAYERS = ['own', 'named', 'default'].map((id) => ({
  id,
  name: id === 'own' ? null : id,
  requirements: '',
  runtime: 'python',
  state: 'ready' as const,
  output: '',
  created_at: 0,
  ready_at: 0,
  size_bytes: 0,
}));

it('leaves out what is null, and what the code decides about', () => {
  const registration = withCode(FUNCTION_DETAIL, 'new', LAYERS);
  expect(registration).toMatchObject({ function_name: 'echo', function_code: 'new', timeout_ms: 60_000 });
  for (const member of ['style', 'memory_mb', 'access', 'schedule', 'layers', 'requirements']) expect(registration).not.toHaveProperty(member);
});

it('keeps the style of a program, and a concurrency that is not the default', () => {
  expect(withCode({ ...FUNCTION_DETAIL, style: 'server', concurrency: 16 }, 'new', LAYERS)).toMatchObject({ style: 'server' });
  expect(withCode({ ...FUNCTION_DETAIL, style: 'script', concurrency: 8 }, 'new', LAYERS)).not.toHaveProperty('concurrency');
  expect(withCode({ ...FUNCTION_DETAIL, style: 'script', concurrency: 3 }, 'new', LAYERS)).toMatchObject({ concurrency: 3 });
});

it('names the layers between its own and the one that every function has', () => {
  const definition = { ...FUNCTION_DETAIL, requirements: 'requests\n', layers: ['own', 'named', 'default'] };
  expect(withCode(definition, 'new', LAYERS)).toMatchObject({ requirements: 'requests\n', layers: ['named'] });
  expect(() => withCode({ ...definition, layers: ['own', 'gone', 'default'] }, 'new', LAYERS)).toThrow(/lost its name/);
});

it('takes the package.json of a function of Node.js out of what it was kept as', () => {
  const requirements = JSON.stringify({ package: { dependencies: { ms: '2.1.3' } }, lock: { lockfileVersion: 3 }, scripts: false });
  const registration = withCode({ ...FUNCTION_DETAIL, runtime: 'nodejs26', requirements, layers: ['own'] }, 'new', LAYERS);
  expect(registration).toMatchObject({ package_json: { dependencies: { ms: '2.1.3' } }, package_lock: { lockfileVersion: 3 } });
  for (const member of ['requirements', 'allow_scripts', 'layers']) expect(registration).not.toHaveProperty(member);
});
