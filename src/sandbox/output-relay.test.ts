import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { OutputRelay } from './output-relay.ts';

function relay() {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  return { stdout, stderr, output: new OutputRelay(stdout, stderr) };
}

it('keeps what came before the first listener', async () => {
  const { stdout, stderr, output } = relay();
  stdout.write('early');
  stderr.write('bad');
  await turn();
  const heard: string[] = [];
  output.listen((stream, chunk) => heard.push(`${stream}: ${chunk}`));
  await turn();
  stdout.write('late');
  await turn();
  expect(heard).toEqual(['stdout: early', 'stderr: bad', 'stdout: late']);
});

it('drops what nobody listens to, and never makes the writer wait', async () => {
  const { stdout, output } = relay();
  output.release();
  for (let index = 0; index < 100; index++) stdout.write(Buffer.alloc(64 * 1024));
  while (stdout.readableLength + stdout.writableLength > 0) await turn();
  const heard: Buffer[] = [];
  output.listen((_, chunk) => heard.push(chunk));
  await turn();
  expect(heard).toEqual([]);
});

it('holds at most 64 KiB and one chunk before the first listener', async () => {
  const { stdout, output } = relay();
  for (let index = 0; index < 10; index++) {
    stdout.write(Buffer.alloc(16 * 1024));
    await turn();
  }
  let bytes = 0;
  output.listen((_, chunk) => {
    bytes += chunk.length;
  });
  await turn();
  expect(bytes).toBe(64 * 1024);
});

it('remembers the beginning of standard error', async () => {
  const { stderr, output } = relay();
  stderr.write('bwrap: no\n');
  stderr.write('x'.repeat(10_000));
  await turn();
  expect(output.stderrHead).toMatch(/^bwrap: no\nx+$/);
  expect(output.stderrHead.length).toBe(4096);
});
