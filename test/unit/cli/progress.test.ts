import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { Progress, size } from '../../../src/cli/progress.ts';
import { counted } from '../../../src/cli/upload.ts';

function screen(isTTY: boolean) {
  const written: string[] = [];
  return { written, stream: { isTTY, columns: 30, write: (text: string) => written.push(text) } };
}

it('is a line that is rewritten, cut to the width of the terminal, and wiped out', () => {
  const { written, stream } = screen(true);
  let now = 0;
  {
    using progress = new Progress('The layer', stream, () => now);
    progress.draw();
    expect(written).toEqual([]);
    now = 2500;
    progress.draw();
    progress.say('The layer: Collecting numpy\u001b[2J from somewhere');
    progress.draw();
  }
  expect(written).toEqual(['\r\u001b[KThe layer … 2 s', '\r\u001b[KThe layer: Collecting numpy\\u', '\r\u001b[K']);
});

it('says nothing where there is no terminal', () => {
  const { written, stream } = screen(false);
  {
    using progress = new Progress('The layer', stream, () => 0);
    expect(progress.isSeen).toBe(false);
    progress.draw();
  }
  expect(written).toEqual([]);
});

it('tells how much of an upload has left', async () => {
  const said: string[] = [];
  const data = new Uint8Array(150 * 1024).fill(65);
  const sent = await text(counted(data, 'The files', { say: (line: string) => said.push(line) } as unknown as Progress) as never);
  expect(sent).toHaveLength(data.length);
  expect(said).toEqual(['The files: 64 KiB of 150 KiB, 42 %', 'The files: 128 KiB of 150 KiB, 85 %', 'The files: 150 KiB of 150 KiB, 100 %']);
  expect([size(12), size(3 * 1024 ** 2)]).toEqual(['12 B', '3.0 MiB']);
});
