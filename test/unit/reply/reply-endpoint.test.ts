import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { methodFrame, PROTOCOL_HEADER } from '../../../src/reply/amqp/server-frames.ts';
import { createReplyEndpoint } from '../../../src/reply/create-reply-endpoint.ts';
import type { ReplyEndpoint, ReplyInbox, ReplyMessage } from '../../../src/reply/endpoint.ts';
import {
  body,
  confirmSelect,
  declare,
  fields,
  frame,
  header,
  open,
  openChannel,
  publish,
  RawClient,
  readClose,
  START_OK,
  settle,
  tuneOk,
} from './raw-client.ts';

const ID = 'running';

let running: Set<string>;
let delivered: { id: string; message: ReplyMessage }[];
let warnings: object[];
let inbox: ReplyInbox;
let endpoint: ReplyEndpoint;

beforeEach(() => {
  running = new Set([ID]);
  delivered = [];
  warnings = [];
  inbox = { accepts: (id) => running.has(id), deliver: (id, message) => delivered.push({ id, message }) };
  endpoint = createReplyEndpoint(
    { maxMessageBytes: 1000, maxConnectionsPerInbox: 2 },
    { debug: () => undefined, warn: (entry) => warnings.push(entry) },
  );
});

afterEach(() => endpoint.close());

const connect = (options = {}): Promise<RawClient> => new RawClient(endpoint, inbox).connect(options);

describe('the handshake', () => {
  it('answers another protocol with the header that it speaks, and ends', async () => {
    const client = new RawClient(endpoint, inbox);
    const [answer] = await client.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    expect(answer?.args.toString('latin1')).toBe('AMQP\x00\x00\x09\x01');
    expect(client.ended).toBe(true);
  });

  it('takes a header and frames that come byte by byte', async () => {
    const client = new RawClient(endpoint, inbox);
    const bytes = Buffer.concat([
      PROTOCOL_HEADER,
      START_OK,
      tuneOk(64, 4096, 0),
      open(),
      openChannel(7),
      publish(7, ID),
      header(7, 2),
      body(7, 'ok'),
    ]);
    await client.send(...Array.from(bytes, (byte) => Buffer.of(byte)));
    expect(client.received.map((received) => received.method)).toEqual(['10.10', '10.30', '10.41', '20.11']);
    expect(delivered.map(({ message }) => message.body.toString())).toEqual(['ok']);
  });

  it('answers what came in one piece in one piece', async () => {
    const client = new RawClient(endpoint, inbox);
    const chunks: Buffer[] = [];
    client.stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    await client.send(Buffer.concat([PROTOCOL_HEADER, START_OK, tuneOk(64, 4096, 0), open(), openChannel(1), declare(1, ID)]));
    expect(chunks).toHaveLength(1);
    expect(client.received.map((received) => received.method)).toEqual(['10.10', '10.30', '10.41', '20.11', '50.11']);
  });

  it.each([
    ['more channels than offered', tuneOk(65, 131_072, 60)],
    ['unlimited channels', tuneOk(0, 131_072, 60)],
    ['larger frames than offered', tuneOk(64, 131_073, 60)],
    ['unlimited frames', tuneOk(64, 0, 60)],
    ['frames below the minimum', tuneOk(64, 4095, 60)],
  ])('refuses %s with 530 NOT_ALLOWED', async (_what, tune) => {
    const client = new RawClient(endpoint, inbox);
    await client.send(PROTOCOL_HEADER, START_OK);
    const [answer] = await client.send(tune);
    expect(answer?.method).toBe('10.50');
    expect(readClose(answer)).toMatchObject({ code: 530, classId: 10, methodId: 31 });
  });

  it('has no virtual host but /', async () => {
    const client = new RawClient(endpoint, inbox);
    const answers = await client.send(PROTOCOL_HEADER, START_OK, tuneOk(64, 131_072, 0), open('other'));
    expect(readClose(answers.at(-1))).toMatchObject({ code: 530, classId: 10, methodId: 40 });
  });

  it('answers a method out of order with 503 COMMAND_INVALID', async () => {
    const client = new RawClient(endpoint, inbox);
    const answers = await client.send(PROTOCOL_HEADER, open());
    expect(readClose(answers.at(-1))).toMatchObject({ code: 503, classId: 10, methodId: 40 });
  });

  it('opens no channel before the connection is open', async () => {
    const client = new RawClient(endpoint, inbox);
    const answers = await client.send(PROTOCOL_HEADER, START_OK, openChannel(1));
    expect(readClose(answers.at(-1))).toMatchObject({ code: 503, classId: 20, methodId: 10 });
  });

  it('refuses a connection above the limit at connection.open, with 530, until another one has gone', async () => {
    const first = await connect();
    await connect();
    const third = new RawClient(endpoint, inbox);
    const answers = await third.send(PROTOCOL_HEADER, START_OK, tuneOk(64, 131_072, 0), open());
    expect(readClose(answers.at(-1))).toMatchObject({ code: 530, text: expect.stringContaining('connection limit (2)') });
    third.stream.end();
    first.stream.end();
    await settle();
    expect((await connect()).received.at(-1)?.method).toBe('20.11');
  });

  it('cuts connections far above the limit without a word', async () => {
    for (let count = 0; count < 4; count += 1) await new RawClient(endpoint, inbox).send(PROTOCOL_HEADER);
    const fifth = new RawClient(endpoint, inbox);
    await fifth.send(PROTOCOL_HEADER);
    expect(fifth.received).toEqual([]);
    expect(fifth.ended || fifth.stream.destroyed).toBe(true);
  });

  it('counts each sandbox by itself', async () => {
    await connect();
    await connect();
    const other = await new RawClient(endpoint, { accepts: () => true, deliver: () => undefined }).connect();
    expect(other.received.at(-1)?.method).toBe('20.11');
  });
});

describe('publishing', () => {
  it('acknowledges in order, with one sequence of tags per channel', async () => {
    const client = await connect({ channels: [1, 2] });
    await client.send(publish(1, ID), header(1, 0), confirmSelect(1), confirmSelect(2));
    const answers = await client.send(
      publish(1, ID),
      header(1, 1),
      publish(2, ID),
      header(2, 1),
      body(2, 'b'),
      body(1, 'a'),
      publish(1, ID),
      header(1, 0),
    );
    expect(answers.map(({ method, channel, args }) => [method, channel, args.readBigUInt64BE(0)])).toEqual([
      ['60.80', 2, 1n],
      ['60.80', 1, 1n],
      ['60.80', 1, 2n],
    ]);
    expect(delivered.map(({ message }) => message.body.toString())).toEqual(['', 'b', 'a', '']);
  });

  it('asks again when the message is complete: with confirms, what came too late is nacked', async () => {
    const client = await connect();
    await client.send(confirmSelect(1), publish(1, ID), header(1, 4), body(1, 'la'));
    running.clear();
    const [answer] = await client.send(body(1, 'te'));
    expect(answer?.method).toBe('60.120');
    expect(delivered).toEqual([]);
  });

  it('closes the channel with 404 for what came too late without confirms', async () => {
    const client = await connect();
    await client.send(publish(1, ID), header(1, 4));
    running.clear();
    const [answer] = await client.send(body(1, 'late'));
    expect(answer?.method).toBe('20.40');
    expect(readClose(answer)).toMatchObject({ code: 404, classId: 60, methodId: 40 });
    expect(delivered).toEqual([]);
  });

  it('skips the content of a refused message, and the channel may be opened again after close-ok', async () => {
    const client = await connect();
    const answers = await client.send(publish(1, 'other'), header(1, 3), body(1, 'abc'), declare(1, ID));
    expect(answers.map(({ method }) => method)).toEqual(['20.40']);
    expect(readClose(answers[0])).toMatchObject({ code: 403, classId: 60, methodId: 40 });
    const reopened = await client.send(methodFrame(1, 20, 41), openChannel(1), publish(1, ID), header(1, 1), body(1, 'x'));
    expect(reopened.map(({ method }) => method)).toEqual(['20.11']);
    expect(delivered).toHaveLength(1);
  });

  it('answers a channel.close that crosses its own', async () => {
    const client = await connect();
    const answers = await client.send(publish(1, 'other'), methodFrame(1, 20, 40, fields().short(0).shortstr('').long(0).toBuffer()));
    expect(answers.map(({ method }) => method)).toEqual(['20.40', '20.41']);
    expect((await client.send(methodFrame(1, 20, 41), openChannel(1)))[0]?.method).toBe('20.11');
  });

  it('refuses a message above the limit by its header, with 311, and skips the rest', async () => {
    const client = await connect();
    const answers = await client.send(publish(1, ID), header(1, 1001), body(1, Buffer.alloc(1001)));
    expect(answers.map(({ method }) => method)).toEqual(['20.40']);
    expect(readClose(answers[0])).toMatchObject({ code: 311, classId: 60, methodId: 40 });
    expect(delivered).toEqual([]);
  });

  it('takes a message of exactly the limit', async () => {
    const client = await connect();
    await client.send(publish(1, ID), header(1, 1000), body(1, Buffer.alloc(400)), body(1, Buffer.alloc(600)));
    expect(delivered[0]?.message.body).toHaveLength(1000);
  });

  it('bounds what unfinished messages announce together, and gives room back', async () => {
    const client = await connect({ channels: [1, 2, 3] });
    await client.send(publish(1, ID), header(1, 1000), publish(2, ID), header(2, 1000), body(2, Buffer.alloc(1000)));
    expect(await client.send(publish(2, ID), header(2, 1000))).toEqual([]);
    const [answer] = await client.send(publish(3, ID), header(3, 1000));
    expect(answer?.method).toBe('10.50');
    expect(readClose(answer)).toMatchObject({ code: 506 });
  });

  it.each<[string, Buffer[], number]>([
    ['a body before its header', [publish(1, ID), body(1, 'x')], 505],
    ['content without a publish', [header(1, 1)], 505],
    ['two headers', [publish(1, ID), header(1, 1), header(1, 1)], 505],
    ['a method within content', [publish(1, ID), header(1, 1), declare(1, ID)], 505],
    ['a header of another class', [publish(1, ID), header(1, 1, 50)], 501],
    ['more body than announced', [publish(1, ID), header(1, 1), body(1, 'xy')], 501],
    ['a header with undefined flags', [publish(1, ID), frame(2, 1, fields().short(60).short(0).longlong(0).short(1).toBuffer())], 502],
    ['a header that ends early', [publish(1, ID), frame(2, 1, Buffer.of(0, 60, 0, 0))], 502],
    ['content on channel 0', [header(0, 1)], 505],
    ['immediate', [publish(1, ID, '', 2)], 540],
  ])('closes the connection for %s', async (_what, frames, code) => {
    const client = await connect();
    const answers = await client.send(...frames);
    expect(answers.map(({ method }) => method)).toEqual(['10.50']);
    expect(readClose(answers[0]).code).toBe(code);
    expect(delivered).toEqual([]);
  });
});

describe('names', () => {
  it.each<[string, Buffer, number]>([
    ['a queue that is not there, passively', declare(1, 'other', 1), 404],
    ['a queue of its own choice', declare(1, 'other'), 403],
    ['a queue that looks server-named', declare(1, 'amq.gen-1'), 403],
    ['an empty name before any queue, passively', declare(1, '', 1), 404],
    ['the default exchange', methodFrame(1, 40, 10, fields().short(0).shortstr('').shortstr('direct').octet(0).table({}).toBuffer()), 403],
    [
      'a predefined exchange otherwise',
      methodFrame(1, 40, 10, fields().short(0).shortstr('amq.topic').shortstr('direct').octet(2).table({}).toBuffer()),
      403,
    ],
    ['a reserved exchange', methodFrame(1, 40, 10, fields().short(0).shortstr('amq.x').shortstr('direct').octet(2).table({}).toBuffer()), 403],
    ['another exchange, passively', methodFrame(1, 40, 10, fields().short(0).shortstr('x').shortstr('direct').octet(1).table({}).toBuffer()), 404],
  ])('closes the channel for %s', async (_what, bytes, code) => {
    const client = await connect();
    const [answer] = await client.send(bytes);
    expect(answer?.method).toBe('20.40');
    expect(readClose(answer).code).toBe(code);
  });

  it('keeps server-named queues to the connection that made them, and forgets them when deleted', async () => {
    const client = await connect();
    const [answer] = await client.send(declare(1, ''));
    const queue = answer?.args.subarray(1, 1 + (answer.args[0] ?? 0)).toString() ?? '';
    expect(queue).toMatch(/^amq\.gen-/);
    expect((await client.send(declare(1, '', 1)))[0]?.method).toBe('50.11');
    const other = await connect();
    expect(readClose((await other.send(declare(1, queue, 1)))[0]).code).toBe(404);
    await client.send(methodFrame(1, 50, 40, fields().short(0).shortstr(queue).octet(0).toBuffer()));
    expect(readClose((await client.send(declare(1, queue, 1)))[0]).code).toBe(404);
  });

  it('bounds the server-named queues of a connection', async () => {
    const client = await connect();
    const answers = await client.send(Buffer.concat(Array.from({ length: 257 }, () => declare(1, ''))));
    expect(answers.filter(({ method }) => method === '50.11')).toHaveLength(256);
    expect(readClose(answers.at(-1)).code).toBe(506);
  });

  it('answers nothing where no-wait says so', async () => {
    const client = await connect();
    expect(await client.send(declare(1, ID, 16))).toEqual([]);
  });
});

describe('what is out of order', () => {
  it.each<[string, Buffer, number]>([
    ['an unknown class', methodFrame(1, 999, 1), 540],
    ['an unknown method', methodFrame(1, 50, 99), 540],
    ['transactions', methodFrame(1, 90, 10), 540],
    ["a server's method", methodFrame(1, 50, 11, fields().shortstr('q').long(0).long(0).toBuffer()), 503],
    ['a channel method on channel 0', methodFrame(0, 20, 10, fields().shortstr('').toBuffer()), 503],
    ['a connection method on a channel', methodFrame(1, 10, 31, fields().short(1).long(4096).short(0).toBuffer()), 503],
    ['a second handshake', open(), 503],
    ['a channel that is open already', openChannel(1), 504],
    ['a channel that is not open', declare(2, ID), 504],
    ['content on a channel that is not open', header(2, 1), 504],
    ['a channel above the maximum', openChannel(65), 530],
    ['arguments that end early', methodFrame(1, 50, 10, Buffer.of(0, 0, 9)), 502],
    ['arguments that are too long', methodFrame(1, 20, 20, Buffer.of(1, 1)), 502],
    ['a name that is not UTF-8', methodFrame(1, 60, 30, Buffer.of(2, 0xff, 0xff, 0)), 502],
    ['a method frame without a method', frame(1, 1, Buffer.of(0)), 501],
    ['a heartbeat on a channel', frame(8, 1, Buffer.alloc(0)), 501],
    ['an unknown frame type', frame(4, 1, Buffer.alloc(0)), 501],
    ['a frame above frame-max', frame(3, 1, Buffer.alloc(131_065)), 501],
    ['a frame without its end', Buffer.of(8, 0, 0, 0, 0, 0, 0, 0), 501],
  ])('closes the connection for %s', async (_what, bytes, code) => {
    const client = await connect();
    const answers = await client.send(bytes);
    expect(answers.map(({ method }) => method)).toEqual(['10.50']);
    expect(readClose(answers[0]).code).toBe(code);
  });

  it('names the method that failed', async () => {
    const client = await connect();
    expect(readClose((await client.send(methodFrame(1, 90, 10)))[0])).toMatchObject({ classId: 90, methodId: 10 });
  });

  it('blames no method for bytes that are no frame, and ends at once', async () => {
    const client = await connect();
    expect(readClose((await client.send(frame(4, 1, Buffer.alloc(0))))[0])).toMatchObject({ code: 501, classId: 0, methodId: 0 });
    expect(client.ended).toBe(true);
  });

  it('refuses an authentication mechanism that was not offered', async () => {
    const client = new RawClient(endpoint, inbox);
    const external = methodFrame(0, 10, 11, fields().table({}).shortstr('EXTERNAL').longstr('').shortstr('en_US').toBuffer());
    const answers = await client.send(PROTOCOL_HEADER, external);
    expect(answers.at(-1)?.method).toBe('10.50');
    expect(readClose(answers.at(-1))).toMatchObject({ code: 403, classId: 10, methodId: 11 });
  });

  it('ends the stream after close-ok, and says nothing to what comes in between', async () => {
    const client = await connect();
    await client.send(methodFrame(1, 90, 10));
    expect(await client.send(declare(1, ID), publish(1, ID), header(1, 0))).toEqual([]);
    expect(client.ended).toBe(false);
    await client.send(methodFrame(0, 10, 51));
    expect(client.ended).toBe(true);
    expect(delivered).toEqual([]);
  });

  it('tells the client of a fault of ours without its details, and logs it', async () => {
    inbox = {
      accepts: () => true,
      deliver: () => {
        throw new Error('secret');
      },
    };
    const client = await connect();
    const [answer] = await client.send(publish(1, ID), header(1, 0));
    expect(readClose(answer)).toMatchObject({ code: 541, text: expect.not.stringContaining('secret') });
    expect(warnings).toHaveLength(1);
  });
});

describe('flow', () => {
  it('stops reading a client that does not read its answers', async () => {
    const client = await connect();
    client.stream.pause();
    const flood = Buffer.concat(Array.from({ length: 500 }, () => declare(1, ID)));
    let taken = 0;
    for (; taken < 200 && client.stream.writableLength < 100_000; taken += 1) {
      client.stream.write(flood);
      await settle();
    }
    expect(taken).toBeLessThan(200);
    const before = client.received.length;
    client.stream.resume();
    while (client.received.length - before < taken * 500) await settle();
    expect(client.received.length - before).toBe(taken * 500);
  });

  it('ends its side when the client ends without a word', async () => {
    const client = await connect();
    client.stream.end();
    await settle();
    expect(client.ended).toBe(true);
  });

  it('takes no connection after close, and closing twice does no harm', async () => {
    const client = await connect();
    endpoint.close();
    endpoint.close();
    await settle();
    expect(client.received.filter(({ method }) => method === '10.50')).toHaveLength(1);
    expect(readClose(client.received.at(-1))).toMatchObject({ code: 320, classId: 0, methodId: 0 });
    const late = new RawClient(endpoint, inbox);
    await late.send(PROTOCOL_HEADER);
    expect(late.received).toEqual([]);
  });
});
