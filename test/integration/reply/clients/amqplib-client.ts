import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Channel, type ChannelModel, connect } from 'amqplib';

type Case = (port: number, correlationId: string, onReady: () => void) => Promise<void>;

const MANY = 20;
const LARGE = Buffer.alloc(256 * 2800, Buffer.from(Array.from({ length: 256 }, (_, value) => value)));
const TOO_LARGE = Buffer.alloc(2 * 1024 * 1024, 'x');

/** Runs `act` on an open connection and closes it; an error that the server tells a channel is thrown. */
async function withConnection(port: number, act: (connection: ChannelModel) => Promise<unknown>, query = ''): Promise<void> {
  const connection = await connect(`amqp://any:body@127.0.0.1:${port}/${query}`);
  // What goes wrong on the connection also fails the call that waits for it.
  connection.on('error', () => undefined);
  try {
    await act(connection);
  } finally {
    await connection.close();
  }
}

function channelError(channel: Channel): Promise<never> {
  return new Promise((_resolve, reject) => channel.once('error', reject));
}

const template: Case = (port, correlationId) =>
  withConnection(port, async (connection) => {
    const channel = await connection.createChannel();
    await channel.assertQueue(correlationId, { durable: false });
    channel.publish('', correlationId, Buffer.from('{"body": {"Hello": "Valera"}}'));
    await channel.close();
  });

const publishOnce =
  (body: Buffer, options = {}): Case =>
  (port, correlationId) =>
    withConnection(port, async (connection) => {
      const channel = await connection.createChannel();
      channel.publish('', correlationId, body, options);
      await channel.close();
    });

/** The cases of the Python clients, by the same names. */
export const amqplibCases: Record<string, Case> = {
  template,
  properties: publishOnce(Buffer.from('typed'), {
    contentType: 'text/plain',
    headers: { 'X-Text': 'tea', 'X-Number': 5, 'X-Flag': true, 'X-Table': { a: 1 } },
  }),
  large: publishOnce(LARGE),
  empty: publishOnce(Buffer.alloc(0)),
  confirms: (port, correlationId) =>
    withConnection(port, async (connection) => {
      const channel = await connection.createConfirmChannel();
      for (const body of ['0', '1', '2']) channel.publish('', correlationId, Buffer.from(body), { mandatory: true });
      await channel.waitForConfirms();
      await channel.close();
    }),
  unknown: (port, correlationId) =>
    withConnection(port, async (connection) => {
      const channel = await connection.createConfirmChannel();
      const failed = channelError(channel);
      channel.publish('', `${correlationId}-unknown`, Buffer.from('lost'), { mandatory: true });
      await failed;
    }),
  declare_unknown: (port, correlationId) =>
    withConnection(port, async (connection) => {
      const channel = await connection.createChannel();
      channel.on('error', () => undefined);
      await channel.assertQueue(`${correlationId}-unknown`);
    }),
  declare_passive: (port, correlationId) =>
    withConnection(port, async (connection) => {
      const channel = await connection.createChannel();
      channel.on('error', () => undefined);
      await channel.checkQueue(`${correlationId}-unknown`);
    }),
  too_large: (port, correlationId) =>
    withConnection(port, async (connection) => {
      const channel = await connection.createConfirmChannel();
      const failed = channelError(channel);
      channel.publish('', correlationId, TOO_LARGE);
      try {
        await failed;
      } finally {
        const next = await connection.createChannel();
        next.publish('', correlationId, Buffer.from('after'));
        await next.close();
      }
    }),
  two_channels: (port, correlationId) =>
    withConnection(port, async (connection) => {
      const one = await connection.createConfirmChannel();
      const two = await connection.createConfirmChannel();
      one.publish('', correlationId, Buffer.from('one'));
      await one.waitForConfirms();
      two.publish('', correlationId, Buffer.from('two'));
      await one.close();
      two.publish('', correlationId, Buffer.from('three'));
      await two.waitForConfirms();
    }),
  forced: async (port, _correlationId, onReady) => {
    const connection = await connect(`amqp://127.0.0.1:${port}`);
    await connection.createChannel();
    // amqplib doesn't count CONNECTION_FORCED as an error: it tells the reason with `close`.
    const closed = once(connection, 'close');
    onReady();
    const [reason] = await closed;
    throw reason;
  },
  heartbeats: (port, correlationId) =>
    withConnection(
      port,
      async (connection) => {
        const channel = await connection.createChannel();
        await sleep(4000);
        channel.publish('', correlationId, Buffer.from('still here'));
        await channel.close();
      },
      '?heartbeat=1',
    ),
  many: async (port, correlationId, onReady) => {
    await Promise.all(Array.from({ length: MANY }, () => template(port, correlationId, onReady)));
  },
};
