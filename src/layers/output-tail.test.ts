import { expect, test } from 'vitest';
import { OutputTail } from './output-tail.ts';

test('keeps everything that fits', () => {
  const tail = new OutputTail(16);
  tail.write(Buffer.from('one\ntw'));
  tail.write(Buffer.from('o\n'));
  expect(tail.text()).toBe('one\ntwo\n');
});

test('keeps the end of what does not fit, from the beginning of a line', () => {
  const tail = new OutputTail(20);
  for (let line = 1; line <= 1000; line += 1) tail.write(Buffer.from(`line ${line}\n`));
  expect(tail.text()).toBe('line 999\nline 1000\n');
});

test('one chunk larger than the bound is cut too', () => {
  const tail = new OutputTail(8);
  tail.write(Buffer.from('a long line\nshort\n'));
  expect(tail.text()).toBe('short\n');
});

test('a character of several bytes in two chunks stays whole', () => {
  const tail = new OutputTail(100);
  const bytes = Buffer.from('╰─>');
  tail.write(bytes.subarray(0, 2));
  tail.write(bytes.subarray(2));
  expect(tail.text()).toBe('╰─>');
});
