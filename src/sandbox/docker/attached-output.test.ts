import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { demultiplex } from './attached-output.ts';

function frame(stream: number, content: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(Buffer.byteLength(content), 4);
  return Buffer.concat([header, Buffer.from(content)]);
}

it.each([1, 3, 7, 8, 9, 1000])('takes frames apart that come in pieces of %i bytes', async (size) => {
  const connection = new PassThrough();
  const { stdout, stderr } = demultiplex(connection);
  const bytes = Buffer.concat([frame(1, 'one '), frame(2, 'trouble'), frame(1, ''), frame(1, 'two'), frame(2, ' again')]);
  for (let at = 0; at < bytes.length; at += size) connection.write(bytes.subarray(at, at + size));
  connection.end();
  expect(await Promise.all([text(stdout), text(stderr)])).toEqual(['one two', 'trouble again']);
});

it('ends both streams when the engine breaks off in the middle of a frame', async () => {
  const connection = new PassThrough();
  const { stdout, stderr } = demultiplex(connection);
  connection.write(frame(1, 'half of it').subarray(0, 12));
  connection.destroy(new Error('gone'));
  expect(await Promise.all([text(stdout), text(stderr)])).toEqual(['half', '']);
});
