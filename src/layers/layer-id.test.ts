import { expect, test } from 'vitest';
import { LAYER_ID, layerId } from './layer-id.ts';

const target = { runtime: 'python', version: '3.11.2', abi: 'cpython-311-x86_64-linux-gnu', platform: 'linux-x64' } as const;

test('the same requirements for the same interpreter have the same id', () => {
  expect(layerId(target, 'pika\n')).toBe(layerId({ ...target }, 'pika\n'));
  expect(layerId(target, 'pika\n')).toMatch(LAYER_ID);
});

test('the patch level of the interpreter makes no difference', () => {
  expect(layerId({ ...target, version: '3.11.9' }, 'pika\n')).toBe(layerId(target, 'pika\n'));
});

test.each([
  ['requirements', layerId(target, 'pika>1\n')],
  ['their order', layerId(target, 'a\nb\n')],
  ['the other order', layerId(target, 'b\na\n')],
  ['minor version', layerId({ ...target, version: '3.12.2' }, 'pika\n')],
  ['ABI', layerId({ ...target, abi: 'cpython-311-x86_64-linux-musl' }, 'pika\n')],
  ['platform', layerId({ ...target, platform: 'linux-arm64' }, 'pika\n')],
])('another id for another %s', (_what, id) => {
  expect(id).not.toBe(layerId(target, 'pika\n'));
});

test('order is content', () => {
  expect(layerId(target, 'a\nb\n')).not.toBe(layerId(target, 'b\na\n'));
});
