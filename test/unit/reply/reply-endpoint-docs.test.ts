import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { AmqpError, REPLY_CODES, type ReplyName } from '../../../src/reply/amqp/amqp-error.ts';

it('documents every reply code, what it closes, and no other', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/reply-endpoint.md'), 'utf8');
  const documented = Array.from(page.matchAll(/^\| (\d{3}) +\| ([A-Z_]+) +\| (channel|connection) +\|/gm), ([, code, name, closes]) => [
    name,
    Number(code),
    closes,
  ]);
  const known = Object.entries(REPLY_CODES).map(([name, code]) => [name, code, new AmqpError(name as ReplyName, '').soft ? 'channel' : 'connection']);
  expect(documented).toEqual(known);
});
