import { createHmac } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32, inflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { json } from '../../support/hearth.ts';
import { send } from '../../support/send.ts';
import { consoleSteps } from '../../support/written-session.ts';
import { EXAMPLES, Gallery } from './gallery.ts';

/** `lambda` is several programs, with a script of their own. */
const NAMES = readdirSync(EXAMPLES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'lambda')
  .map(({ name }) => name);

let gallery: Gallery;
beforeAll(async () => {
  gallery = await Gallery.start();
});
afterAll(() => gallery?.[Symbol.asyncDispose]());

describe('the gallery of examples', () => {
  test('has for each a README with a deployment, a call and what may go wrong, and a row in the list of all', () => {
    const list = readFileSync(join(EXAMPLES, 'README.md'), 'utf8');
    for (const name of NAMES) {
      const commands = consoleSteps(readFileSync(join(EXAMPLES, name, 'README.md'), 'utf8')).map(({ command }) => command);
      expect.soft(commands, name).toContain('hearth deploy');
      expect.soft(commands.length, name).toBeGreaterThan(2);
      expect.soft(list, name).toContain(`| [${name}](${name}) |`);
    }
  });

  // A README in which nothing is run would pass, as would one whose outputs match everything; the check above and the one below are against that.
  test.concurrent.each(NAMES)(
    '%s does what its README says',
    async (name) => {
      const { session, written } = await gallery.followReadme(name);
      expect(session).toBe(written);
    },
    240_000,
  );
});

/** Of functions that the READMEs have deployed. */
describe('what the READMEs of examples leave out', () => {
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    gallery.hearth.call(path, {
      method: 'POST',
      headers,
      body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    });

  test('webhook-signature: signatures of other secrets, of other forms and none are refused', async () => {
    const body = '{"zen": "Keep it simple."}';
    const sign = (secret: string) => ({
      'X-GitHub-Event': 'ping',
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    });
    expect(await json(await post('/github', body, sign('correct horse battery staple')))).toEqual({ pong: 'Keep it simple.' });
    for (const headers of [sign('another'), { 'X-Hub-Signature-256': 'sha256=\xe9' }, {}])
      expect((await post('/github', body, headers)).status).toBe(401);
  });

  test('image-thumbnail: the copy has the size asked for; bombs and bad sizes are refused', async () => {
    const sample = await readFile(join(EXAMPLES, 'image-thumbnail/sample.png'));
    const small = Buffer.from(await (await post('/thumbnail?size=64', sample)).arrayBuffer());
    expect([small.readUInt32BE(16), small.readUInt32BE(20)]).toEqual([64, 48]);
    const bomb = Buffer.from(sample);
    bomb.writeUInt32BE(30_000, 16);
    bomb.writeUInt32BE(30_000, 20);
    bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
    expect((await post('/thumbnail', bomb)).status).toBe(413);
    expect((await post('/thumbnail?size=99999', sample)).status).toBe(400);
  });

  test('pdf-invoice: the sum stands in the document', async () => {
    const pdf = Buffer.from(await readFile(join(gallery.folderOf('pdf-invoice'), 'invoice.pdf')));
    const start = pdf.indexOf('stream\n', pdf.indexOf('/FlateDecode')) + 'stream\n'.length;
    const page = inflateSync(pdf.subarray(start, pdf.indexOf('\nendstream', start))).toString('latin1');
    const text = Array.from(page.matchAll(/<([0-9a-f]+)>/g), ([, hex = '']) => Buffer.from(hex, 'hex').toString('latin1')).join('');
    expect(text).toContain('Total');
    expect(text).toContain('102.60');
  });

  test('csv-to-sqlite: the file is a database; queries may read, and not for ever', async () => {
    expect((await readFile(join(gallery.folderOf('csv-to-sqlite'), 'cats.db'))).toString('latin1', 0, 15)).toBe('SQLite format 3');
    const query = async (sql: string) =>
      json(await post(`/csv?sql=${encodeURIComponent(sql)}`, 'a,"b ""c"""\n1,2\n', { 'Content-Type': 'text/csv' }));
    expect(await query('SELECT "b ""c""" AS b, x\'ff\' AS x, 9e999 AS inf FROM data')).toMatchObject({ rows: [[2, 'ff', 'inf']] });
    for (const sql of ['DELETE FROM data', "ATTACH '/tmp/x' AS x", 'PRAGMA user_version = 7']) {
      expect(await query(sql)).toEqual({ error: expect.stringContaining('not authorized') });
    }
    const endless = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n';
    expect(await query(endless)).toEqual({ error: "the query can't be run: interrupted" });
  });

  test('llm-stream: tokens come one by one, the same for the same seed', async () => {
    const ask = async () => {
      const response = await post('/complete', { prompt: 'Alice', max_tokens: 5, seed: 1 });
      expect(response.headers.get('content-type')).toBe('text/event-stream');
      const pieces: string[] = [];
      for await (const piece of response.body as ReadableStream<Uint8Array>) pieces.push(Buffer.from(piece).toString());
      return pieces;
    };
    const [first, second] = [await ask(), await ask()];
    expect(first.length).toBeGreaterThan(1);
    expect(first.join('')).toBe(second.join(''));
  });

  test('slack-bot, cron-report, order-chain: what is not for callers is closed to them', async () => {
    for (const path of ['/slack/answer', '/report-alarm', '/orders/stock', '/orders/mail', '/orders/unsent'])
      expect((await post(path, {})).status).toBe(401);
  });

  test('chat: pages of other sites are kept out', async () => {
    const handshake = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
    const headers = { Host: 'chat.example', Origin: 'https://other.example', ...handshake };
    expect((await send(gallery.hearth.gateway, '/chat/tea?name=eve', { headers })).status).toBe(403);
  });

  test('express-app, fastapi-app: pages of their own', async () => {
    expect(await (await gallery.hearth.call('/board/')).text()).toContain('<form>');
    expect(await json(await gallery.hearth.call('/parcels/openapi.json'))).toHaveProperty('paths./parcels/prices');
  });
});
