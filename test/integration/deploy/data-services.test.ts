import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type ConfirmChannel, connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RabbitMq } from '../../support/rabbitmq.ts';

const run = promisify(execFile);
const DEPLOY = fileURLToPath(new URL('../../../deploy', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'hearth-deploy-')), 'deploy');
  await cp(DEPLOY, folder, { recursive: true, filter: (path) => !/\.env$|definitions\.json$/.test(path) });
});
afterAll(() => rm(join(folder, '..'), { recursive: true, force: true }));

const settings = async () =>
  Object.fromEntries(
    (await readFile(join(folder, '.env'), 'utf8')).split('\n').flatMap((line) => [...line.matchAll(/^([A-Z_]+)=(.*)$/g)].map(([, n, v]) => [n, v])),
  );
const compose = (...args: string[]) => run('docker-compose', args, { cwd: folder, env: { PATH: process.env.PATH, HOME: folder } });

describe('deploy/env.sh', () => {
  it('is asked for by the compose file when it has not been run', async () => {
    await expect(compose('-f', 'compose.yml', 'config')).rejects.toThrow('run deploy/env.sh first');
  });

  it('makes passwords that nobody else may read, each its own', async () => {
    await run(join(folder, 'env.sh'));
    expect((await stat(join(folder, '.env'))).mode & 0o777).toBe(0o600);
    const { COMPOSE_PROJECT_NAME, DOCKER_GID, ...passwords } = await settings();
    expect(COMPOSE_PROJECT_NAME).toBe('hearth');
    expect(DOCKER_GID).toMatch(/^\d+$/);
    const values = Object.values(passwords);
    expect(values.length).toBeGreaterThanOrEqual(6);
    for (const value of values) expect(value).toMatch(/^[A-Za-z0-9]{32}$/);
    expect(new Set(values).size).toBe(values.length);
  });

  it('leaves what is there as it is', async () => {
    const before = await Promise.all([readFile(join(folder, '.env')), readFile(join(folder, 'rabbitmq/definitions.json'))]);
    await run(join(folder, 'env.sh'));
    expect(await Promise.all([readFile(join(folder, '.env')), readFile(join(folder, 'rabbitmq/definitions.json'))])).toEqual(before);
  });
});

describe('the compose files', () => {
  it('are valid, for a compose that reads them', async () => {
    const { stdout } = await compose('-f', 'compose.yml', '-f', 'compose.platform.yml', 'config');
    const passwords = await settings();
    expect(stdout).toContain(`amqp://hearth:${passwords.RABBITMQ_PASSWORD}@message_queue:5672`);
    for (const name of ['REDIS_PASSWORD', 'MONGO_PASSWORD', 'POSTGRES_PASSWORD', 'MINIO_PASSWORD']) expect(stdout).toContain(passwords[name]);
  });
});

describe('RabbitMQ with the definitions that were made', () => {
  let broker: RabbitMq;
  beforeAll(async () => {
    broker = await RabbitMq.start();
    await broker.control('import_definitions', join(folder, 'rabbitmq/definitions.json'));
  });
  afterAll(() => broker?.[Symbol.asyncDispose]());

  async function withChannel<T>(user: string, password: string, work: (channel: ConfirmChannel) => Promise<T>): Promise<T> {
    const connection = await connect(`amqp://${user}:${password}@127.0.0.1:${broker.port}`);
    connection.on('error', () => undefined);
    try {
      const channel = await connection.createConfirmChannel();
      channel.on('error', () => undefined);
      return await work(channel);
    } finally {
      await connection.close();
    }
  }

  it("lets a script answer as the seed's template does, and the platform's user read it", async () => {
    const id = randomUUID();
    await withChannel('guest', 'guest', async (channel) => {
      await channel.assertQueue(id, { durable: false });
      channel.sendToQueue(id, Buffer.from('the answer'));
      await channel.waitForConfirms();
    });
    const { RABBITMQ_PASSWORD } = await settings();
    const answer = await withChannel('hearth', RABBITMQ_PASSWORD as string, (channel) => channel.get(id, { noAck: true }));
    expect(answer).toMatchObject({ content: Buffer.from('the answer') });
  });

  it.each([
    ['make a queue of another name', (channel: ConfirmChannel): Promise<unknown> => channel.assertQueue('orders')],
    ['read an answer', (channel: ConfirmChannel): Promise<unknown> => channel.get(randomUUID())],
    ['make an exchange', (channel: ConfirmChannel): Promise<unknown> => channel.assertExchange('mine', 'fanout')],
  ])('does not let a script %s', async (_, act) => {
    await expect(withChannel('guest', 'guest', act)).rejects.toThrow(/ACCESS.REFUSED/);
  });

  it('lets queues of answers that nobody uses expire, and no others', async () => {
    const { RABBITMQ_PASSWORD } = await settings();
    const id = randomUUID();
    await withChannel('hearth', RABBITMQ_PASSWORD as string, async (channel) => {
      await channel.assertQueue(id, { durable: false });
      await channel.assertQueue('orders');
    });
    const listed = await broker.control('list_queues', 'name', 'policy', '--formatter', 'json');
    const policies = Object.fromEntries((JSON.parse(listed) as { name: string; policy: string }[]).map(({ name, policy }) => [name, policy]));
    expect(policies).toMatchObject({ [id]: 'hearth-replies-expire', orders: '' });
  });
});
