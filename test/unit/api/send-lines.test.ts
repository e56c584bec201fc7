import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it } from 'vitest';
import { sendLines } from '../../../src/api/send-lines.ts';
import type { LogLine } from '../../../src/schemas/log-line.ts';

const LINE: LogLine = {
  id: '1764000000000.0',
  time: 1_764_000_000_000,
  function_name: 'f',
  version: 1,
  instance_id: 'i',
  correlation_id: null,
  stream: 'stdout',
  level: 'info',
  message: 'x'.repeat(1000),
  fields: null,
};
const ANSWERS = 40;
/** More together than what a connection's buffers hold. */
const LINES = 500;

it('a reader that is slow holds up the reading of the log, and not more than one answer in memory', async () => {
  const ending = new AbortController();
  let asked = 0;
  let mostHeld = 0;
  let response: ServerResponse | undefined;
  await using server = createServer((_request, answer) => {
    response = answer;
    void sendLines(answer, {
      headers: {},
      lines: [],
      from: { segment: 1, offset: 0 },
      seen: undefined,
      follow: async ({ from }) => {
        mostHeld = Math.max(mostHeld, answer.writableLength);
        asked++;
        if (asked === ANSWERS) ending.abort();
        const position = { segment: 1, offset: from.offset + 1 };
        return {
          lines: Array.from({ length: LINES }, () => ({ ...LINE, id: `1.${position.offset}` })),
          position,
          leftOutBytes: asked === 2 ? 77 : 0,
        };
      },
      ending: ending.signal,
      log: { warn() {} },
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  while (!response?.writableNeedDrain) await new Promise((resolve) => setTimeout(resolve, 5));
  const askedBefore = asked;
  expect(askedBefore).toBeLessThan(ANSWERS);

  let text = '';
  client.setEncoding('utf8').on('data', (part: string) => (text += part));
  await once(response, 'finish');
  client.end();
  expect(asked).toBe(ANSWERS);
  expect(mostHeld).toBeLessThan(64 * 1024);
  expect(text).toContain('event: left_out\ndata: {"bytes":77}\n\n');
});
