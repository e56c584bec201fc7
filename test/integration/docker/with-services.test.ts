import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { groupPrefix } from '../../../src/sandbox/cgroup/group-prefix.ts';
import { Docker } from '../../support/docker.ts';
import { Hearth, json, sleep, until } from '../../support/hearth.ts';
import { Postgres } from '../../support/postgres.ts';
import type { RabbitMq } from '../../support/rabbitmq.ts';
import { Redis } from '../../support/redis.ts';
import { startBrokerWithGuest } from '../amqp/broker-with-guest.ts';

/** A real engine, a real broker and real data services, used together as the seed's reader has them, by one platform after another. */

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const WORKFLOWS = [
  join(ROOT, 'test/acceptance/seed-workflow.sh'),
  // Where the checkout has a neighbour with the workflow as others wrote it, that one counts too.
  ...[join(ROOT, '../shared/acceptance/seed.sh')].filter(existsSync),
];
const REQUIREMENTS = 'pika\nredis\npg8000\n';

/** The code of a script and a handler that use both services by the seed's names. */
const BOTH = `
import os, json
def both(word):
    import redis, pg8000.native
    cache = redis.Redis(host="cache_service")
    cache.set(word, "seen")
    sql = pg8000.native.Connection("postgres", host="sql_db")
    rows = sql.run("SELECT 6 * 7, :word || '!'", word=word)
    sql.close()
    return {"cache": cache.get(word).decode(), "sql": rows}
`;
const SCRIPT = `${BOTH}
import pika
key = dict(line.split(": ", 1) for line in os.environ["HTTP_HEADER"].splitlines())["X-Correlation-Id"]
connection = pika.BlockingConnection(pika.ConnectionParameters("message_queue"))
channel = connection.channel()
channel.queue_declare(queue=key)
channel.basic_publish(exchange="", routing_key=key, body=json.dumps(both("script")))
connection.close()
`;
const HANDLER = `${BOTH}\ndef handler(message):\n    return both("handler")\n`;

let stack: AsyncDisposableStack;
let docker: Docker;
let broker: RabbitMq;
let redis: Redis;
let postgres: Postgres;
let dataFolder: string;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  dataFolder = await mkdtemp(join(tmpdir(), 'hearth-data-'));
  stack.defer(() => rm(dataFolder, { recursive: true, force: true }));
  [docker, broker, redis, postgres] = await Promise.all([
    Docker.start().then((one) => stack.use(one)),
    startBrokerWithGuest().then((one) => stack.use(one)),
    Redis.start().then((one) => stack.use(one)),
    Postgres.start().then((one) => stack.use(one)),
  ]);
});
afterAll(() => stack.disposeAsync());

/** The libraries are installed by the first of them that is started. */
const start = (replies: string, settings: Record<string, string> = {}) =>
  Hearth.start({
    dataFolder,
    requirements: REQUIREMENTS,
    settings: {
      ...docker.settings,
      ...(replies === 'RabbitMQ' ? { HEARTH_AMQP_URL: broker.url } : {}),
      HEARTH_SANDBOX_NETWORK: 'none',
      HEARTH_SERVICES: `cache_service:6379=127.0.0.1:${redis.port},sql_db:5432=127.0.0.1:${postgres.port}`,
      ...settings,
    },
  });

async function workflow(script: string, hearth: Hearth): Promise<string> {
  const { stdout } = await promisify(execFile)(script, [hearth.api, hearth.gateway], { cwd: ROOT }).catch((error: { stdout: string }) => error);
  return stdout;
}

describe.each(['the embedded endpoint', 'RabbitMQ'])('functions in containers that answer by %s', (replies) => {
  let hearth: Hearth;
  beforeAll(async () => {
    hearth = await start(replies);
  });
  afterAll(() => hearth?.[Symbol.asyncDispose]());

  test("go through the seed's workflow", { timeout: 300_000 }, async () => {
    for (const script of replies === 'RabbitMQ' ? WORKFLOWS.slice(0, 1) : WORKFLOWS)
      expect(await workflow(script, hearth)).toMatch(/[1-9]\d* passed, 0 failed\n$/);
    if (replies === 'RabbitMQ') await until(async () => (await broker.queues()).length === 0, 60_000);
  });

  test("use Redis and PostgreSQL by the seed's names, script and handler, without a network", async () => {
    await hearth.define('script', SCRIPT);
    await hearth.define('handler', HANDLER);
    for (const style of ['script', 'handler']) {
      const response = await hearth.call(`/${style}`);
      expect([response.status, await json(response)]).toEqual([200, { cache: 'seen', sql: [[42, `${style}!`]] }]);
      expect(await hearth.instances(style)).toEqual([expect.objectContaining({ driver: 'docker' })]);
    }
  });
});

test("a function on the engine's network finds a Redis that runs there by its alias, and PostgreSQL over its channel", async () => {
  await using hearth = await start('the embedded endpoint', { HEARTH_SERVICES: `sql_db:5432=127.0.0.1:${postgres.port}` });
  await hearth.define('mixed', HANDLER, { network: 'egress' });
  const created = await docker.api<{ Id: string }>('POST', '/containers/create?name=cache', {
    Image: 'hearth-test-base:latest',
    Entrypoint: ['/usr/bin/redis-server'],
    Cmd: ['--save', '', '--bind', '0.0.0.0', '--protected-mode', 'no'],
    // The image is of the machine's own release, and the server need not be installed twice.
    HostConfig: { Binds: ['/usr:/usr:ro'], NetworkMode: 'cloud_net' },
    NetworkingConfig: { EndpointsConfig: { cloud_net: { Aliases: ['cache_service'] } } },
  });
  await docker.api('POST', `/containers/${created.Id}/start`);
  try {
    const answer = await until(async () => {
      const response = await hearth.call('/mixed');
      return response.ok && (await json(response));
    });
    expect(answer).toEqual({ cache: 'seen', sql: [[42, 'handler!']] });
  } finally {
    await docker.api('DELETE', `/containers/${created.Id}?force=true`);
  }
});

test('an engine that is killed and started again under load costs nobody an answer, and nothing is left of it', { timeout: 300_000 }, async () => {
  await using hearth = await start('the embedded endpoint');
  const names = ['warm', 'other'];
  for (const name of names) await hearth.define(name, 'import os\ndef handler(message): return {"uid": os.getuid()}', { max_instances: 2 });
  const label = encodeURIComponent(JSON.stringify({ label: [`hearth.platform=${groupPrefix(dataFolder)}`] }));
  const containers = async () => (await docker.api<unknown[]>('GET', `/containers/json?all=true&filters=${label}`)).length;
  const held = async () => {
    const text = await (await fetch(`${hearth.api}/metrics`)).text();
    const sum = (name: string) =>
      [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, 'gm'))].reduce((total, [, count]) => total + Number(count), 0);
    return { booting: sum('hearth_pool_booting'), sandboxes: sum('hearth_instances') + sum('hearth_pool_stocked') };
  };
  const descriptors = () => readdirSync(`/proc/${hearth.child.pid}/fd`).length;
  const doors = () => readdirSync(join(dataFolder, 'docker/doors'));
  /** Once nothing boots and the engine has as many containers as the platform knows sandboxes. */
  const settled = () =>
    until(async () => {
      const { booting, sandboxes } = await held();
      return (
        booting === 0 && sandboxes > 0 && (await containers()) === sandboxes && doors().length === 0 && { sandboxes, descriptors: descriptors() }
      );
    }, 90_000);

  const answers: string[] = [];
  let running = true;
  const caller = async (path: string) => {
    while (running) {
      const response = await hearth.call(path, { signal: AbortSignal.timeout(90_000) });
      const body = await json(response);
      answers.push(response.ok ? '200' : `${response.status} ${body.code}`);
      if (!response.ok) await sleep(50);
    }
  };
  const good = () => answers.filter((answer) => answer === '200').length;
  const callers = ['/warm', '/other', '/warm', '/other'].map(caller);
  await until(() => good() > 20, 60_000);
  const before = await settled();
  for (let round = 0; round < 2; round++) {
    await docker.stopEngine('SIGKILL');
    const then = answers.length;
    await until(() => answers.length > then + 4, 90_000);
    await docker.startEngine();
    // What ran in the old containers is over; new ones answer.
    await until(async () => (await hearth.call('/warm')).ok && (await hearth.call('/other')).ok, 90_000);
    const again = good();
    await until(() => good() > again + 20, 90_000);
  }
  running = false;
  await Promise.all(callers);
  expect([...new Set(answers)].filter((answer) => !/^(200|502 \w+|503 \w+|504 \w+)$/.test(answer))).toEqual([]);
  const after = await settled();
  // A descriptor for each thing that a container is known by; idle connections of callers and to the engine come and go.
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 4 * Math.max(0, after.sandboxes - before.sandboxes) + 8);
  expect(await hearth.stop()).toBe(0);
  expect(await containers()).toBe(0);
  expect(doors()).toEqual([]);
});
