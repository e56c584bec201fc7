import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pythonWith } from '../../support/python-clients.ts';
import { type CaseName, CLIENTS, type Outcome } from './clients.ts';
import { startTestServer, type TestServer } from './test-server.ts';

const SUCCEEDED: Outcome = { error: null, code: null };
const LARGE = Buffer.alloc(256 * 2800, Buffer.from(Array.from({ length: 256 }, (_, value) => value)));

let python: string;
let server: TestServer;
let correlationId: string;

beforeAll(async () => {
  python = await pythonWith(join(import.meta.dirname, 'requirements.txt'));
});

beforeEach(async () => {
  server = await startTestServer();
  correlationId = randomUUID();
  server.running.add(correlationId);
});

afterEach(async () => {
  expect(server.warnings).toEqual([]);
  await server[Symbol.asyncDispose]();
});

const bodies = (): string[] => server.deliveries.map((delivery) => delivery.body.toString());

const pairs = (flat: readonly string[]): string[][] => Array.from({ length: flat.length / 2 }, (_, index) => flat.slice(index * 2, index * 2 + 2));

describe.each(CLIENTS)('$name', (client) => {
  const run = (name: CaseName): Promise<Outcome> => client.run(python, name, server.port, correlationId, () => server.endpoint.close());
  /** Clients that run the case; `it.skipIf` would report tests that can never run. */
  const test = (name: CaseName, sentence: string, check: () => Promise<void>): void => {
    if (client.cases.includes(name)) it(sentence, check);
  };
  const expectError = (outcome: Outcome, error: string, code: number, reply: string): void => {
    expect(outcome).toMatchObject({ error, text: expect.stringContaining(reply) });
    // aio-pika has a class for each code instead.
    if (outcome.code !== null) expect(outcome.code).toBe(code);
  };

  test('template', 'connects, declares, publishes and closes: one delivery with the exact body', async () => {
    expect(await run('template')).toEqual(SUCCEEDED);
    expect(server.deliveries).toHaveLength(1);
    expect(server.deliveries[0]?.correlationId).toBe(correlationId);
    expect(JSON.parse(bodies()[0] ?? '')).toEqual({ body: { Hello: 'Valera' } });
  });

  test('properties', 'has its content type and headers kept', async () => {
    expect(await run('properties')).toEqual(SUCCEEDED);
    expect(server.deliveries).toHaveLength(1);
    const [delivery] = server.deliveries;
    expect(delivery?.body.toString()).toBe('typed');
    expect(delivery?.contentType).toBe('text/plain');
    // aio-pika sorts them; a table is no HTTP header and is left out.
    expect(Object.fromEntries(pairs(delivery?.headers ?? []))).toEqual({ 'X-Text': 'tea', 'X-Number': '5', 'X-Flag': 'true' });
  });

  test('large', 'may send a body of many frames', async () => {
    expect(await run('large')).toEqual(SUCCEEDED);
    expect(server.deliveries).toHaveLength(1);
    expect(server.deliveries[0]?.body.equals(LARGE)).toBe(true);
  });

  test('empty', 'may send an empty body', async () => {
    expect(await run('empty')).toEqual(SUCCEEDED);
    expect(bodies()).toEqual(['']);
  });

  test('confirms', 'gets its publishes confirmed', async () => {
    expect(await run('confirms')).toEqual(SUCCEEDED);
    expect(bodies()).toEqual(['0', '1', '2']);
  });

  test('unknown', 'is refused when it publishes to an id that is not running here', async () => {
    expectError(await run('unknown'), client.errors.accessRefused, 403, 'ACCESS_REFUSED');
    expect(server.deliveries).toEqual([]);
  });

  test('unknown_without_confirms', 'is refused without confirms too, at its next call', async () => {
    expectError(await run('unknown_without_confirms'), client.errors.accessRefused, 403, 'ACCESS_REFUSED');
    expect(server.deliveries).toEqual([]);
  });

  test('other_exchange', 'is told that no other exchange takes messages', async () => {
    expectError(await run('other_exchange'), client.errors.notFound, 404, 'NOT_FOUND');
    expect(server.deliveries).toEqual([]);
  });

  test('declare_unknown', 'is refused when it declares a queue of its choice', async () => {
    expectError(await run('declare_unknown'), client.errors.accessRefused, 403, 'ACCESS_REFUSED');
  });

  test('declare_passive', 'does not find a queue that is not there', async () => {
    expectError(await run('declare_passive'), client.errors.notFound, 404, 'NOT_FOUND');
  });

  test('declare_exchange', 'is refused when it declares an exchange', async () => {
    expectError(await run('declare_exchange'), client.errors.accessRefused, 403, 'ACCESS_REFUSED');
  });

  test('too_large', 'loses only the channel on which its message was too large', async () => {
    expectError(await run('too_large'), client.errors.tooLarge, 311, 'CONTENT_TOO_LARGE');
    expect(bodies()).toEqual(['after']);
  });

  test('two_channels', 'may use two channels', async () => {
    expect(await run('two_channels')).toEqual(SUCCEEDED);
    expect(bodies()).toEqual(['one', 'two', 'three']);
  });

  test('forced', 'sees the end of the platform as CONNECTION_FORCED', async () => {
    expectError(await run('forced'), client.errors.forced, 320, 'CONNECTION_FORCED');
  });

  test('heartbeats', 'stays connected over idle time by heartbeats', async () => {
    expect(await run('heartbeats')).toEqual(SUCCEEDED);
    expect(bodies()).toEqual(['still here']);
  });

  test('many', 'may connect twenty times at once', async () => {
    expect(await run('many')).toEqual(SUCCEEDED);
    expect(server.deliveries).toHaveLength(20);
  });

  test('broker_calls', 'may call what scripts written for a broker call', async () => {
    expect(await run('broker_calls')).toEqual(SUCCEEDED);
    expect(bodies()).toEqual(['all went well']);
  });

  test('one_too_many', 'is told that it has too many connections', async () => {
    await using small = await startTestServer({ maxConnectionsPerInbox: 1 });
    small.running.add(correlationId);
    const outcome = await client.run(python, 'one_too_many', small.port, correlationId, () => undefined);
    // pika's name for whatever ends a connection while it is being opened; the server's own words are in its text.
    expectError(outcome, 'ProbableAccessDeniedError', 530, 'connection limit (1)');
    expect(small.deliveries.map(({ body }) => body.toString())).toEqual(['first']);
  });

  test('transactions', 'is told that transactions are not implemented', async () => {
    expectError(await run('transactions'), client.errors.forced, 540, 'NOT_IMPLEMENTED');
  });
});
