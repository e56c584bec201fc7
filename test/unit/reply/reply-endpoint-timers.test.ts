import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { methodFrame, PROTOCOL_HEADER } from '../../../src/reply/amqp/server-frames.ts';
import { createReplyEndpoint } from '../../../src/reply/create-reply-endpoint.ts';
import { declare, fields, frame, openChannel, RawClient, readClose, START_OK, settle } from './raw-client.ts';

const inbox = { accepts: (id: string) => id === 'running', deliver: () => undefined };
const heartbeat = frame(8, 0, Buffer.alloc(0));
const endpoint = createReplyEndpoint({ maxMessageBytes: 1000, maxConnectionsPerInbox: 10 }, { debug: () => undefined, warn: () => undefined });

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
});

afterEach(() => {
  vi.useRealTimers();
});

async function pass(seconds: number): Promise<void> {
  vi.advanceTimersByTime(seconds * 1000);
  await settle();
}

const gone = (client: RawClient): boolean => client.ended || client.stream.destroyed;

describe('the clocks of a connection', () => {
  it('cuts a handshake that takes longer than ten seconds, however it trickles', async () => {
    const client = new RawClient(endpoint, inbox);
    await client.send(PROTOCOL_HEADER);
    await pass(6);
    await client.send(START_OK);
    expect(gone(client)).toBe(false);
    await pass(4);
    expect(gone(client)).toBe(true);
  });

  it('leaves an open connection without heartbeats alone', async () => {
    const client = await new RawClient(endpoint, inbox).connect({ heartbeat: 0 });
    await pass(3600);
    expect((await client.send(declare(1, 'running')))[0]?.method).toBe('50.11');
    client.stream.end();
    await settle();
  });

  it('sends heartbeats at least once an interval, and cuts a client that is silent for two', async () => {
    const client = await new RawClient(endpoint, inbox).connect({ heartbeat: 10 });
    await pass(10);
    expect(client.received.filter(({ method }) => method === 'heartbeat')).not.toEqual([]);
    await pass(9);
    expect(gone(client)).toBe(false);
    await pass(1);
    expect(gone(client)).toBe(true);
  });

  it('keeps a client that only sends heartbeats', async () => {
    const client = await new RawClient(endpoint, inbox).connect({ heartbeat: 10 });
    for (let beat = 0; beat < 20; beat += 1) {
      await pass(10);
      await client.send(heartbeat);
    }
    expect(gone(client)).toBe(false);
    client.stream.end();
    await settle();
  });

  it('sends no heartbeat where an answer has shown that it is alive', async () => {
    const client = await new RawClient(endpoint, inbox).connect({ heartbeat: 10 });
    for (let turn = 2; turn < 20; turn += 1) {
      await client.send(openChannel(turn));
      await pass(5);
    }
    expect(client.received.filter(({ method }) => method === 'heartbeat')).toEqual([]);
    client.stream.end();
    await settle();
  });

  it('waits five seconds for the answer to its connection.close', async () => {
    const client = await new RawClient(endpoint, inbox).connect();
    expect(readClose((await client.send(methodFrame(1, 90, 10)))[0]).code).toBe(540);
    await pass(4);
    expect(gone(client)).toBe(false);
    await pass(1);
    expect(gone(client)).toBe(true);
  });

  it('holds no timer when every connection has ended', async () => {
    const polite = await new RawClient(endpoint, inbox).connect({ heartbeat: 10 });
    await polite.send(methodFrame(0, 10, 50, fields().short(200).shortstr('bye').long(0).toBuffer()));
    polite.stream.end();
    const rude = await new RawClient(endpoint, inbox).connect({ heartbeat: 10 });
    rude.stream.end();
    const refused = new RawClient(endpoint, inbox);
    await refused.send(Buffer.from('garbage!'));
    refused.stream.end();
    await settle();
    expect(vi.getTimerCount()).toBe(0);
  });
});
