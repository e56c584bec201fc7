import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { groupPrefix } from '../../../src/sandbox/cgroup/group-prefix.ts';
import { Docker, hearthOn } from '../../support/docker.ts';
import { type Hearth, json, until } from '../../support/hearth.ts';
import { hearthCommand } from '../../support/hearth-command.ts';

/** A whole platform whose functions run in containers. The tests build on one another: the engine is stopped and killed in the last ones. */

let docker: Docker;
let hearth: Hearth;

beforeAll(async () => {
  docker = await Docker.start();
  hearth = await hearthOn(docker, { HEARTH_LIMITS_MEMORY_PER_INSTANCE_BYTES: String(96 << 20) }, { requirements: 'pika==1.3.2\n' });
});
afterAll(async () => {
  await hearth?.[Symbol.asyncDispose]();
  await docker?.[Symbol.asyncDispose]();
});

it('answers by a handler, cold and warm, from a container of its own', async () => {
  await hearth.define('who', 'import os\ndef handler(message, context): return {"uid": os.getuid(), "host": os.uname().nodename}');
  const cold = await hearth.call('/who');
  expect(await json(cold)).toEqual({ uid: expect.any(Number), host: 'fn' });
  expect(cold.headers.get('x-hearth-start')).toBe('cold');
  const warm = await hearth.call('/who');
  expect(warm.headers.get('x-hearth-start')).toBe('warm');
  expect(await docker.containers()).toContain(`/hearth-${warm.headers.get('x-serverless-instance-id')}`);
});

it('answers by a script that publishes to message_queue with pika from the default libraries', async () => {
  const code = `
import json, os, pika
connection = pika.BlockingConnection(pika.ConnectionParameters("message_queue"))
headers = dict(line.split(": ", 1) for line in os.environ["HTTP_HEADER"].splitlines())
body = json.dumps({"heard": json.loads(os.environ["HTTP_BODY"])["body"]})
connection.channel().basic_publish("", headers["X-Correlation-Id"], body)
connection.close()
`;
  await hearth.define('script', code);
  for (const word of ['one', 'two']) {
    const response = await hearth.call('/script', {
      method: 'POST',
      body: JSON.stringify({ word }),
      headers: { 'Content-Type': 'application/json' },
    });
    expect(await json(response)).toEqual({ heard: { word } });
  }
});

it('ends what takes longer than it may, and what takes more memory than it may, and says so', async () => {
  await hearth.define('slow', 'import time\ndef handler(message, context): time.sleep(1000)', { timeout_ms: 500 });
  const late = await hearth.call('/slow');
  expect([late.status, (await json(late)).code]).toEqual([504, 'deadline_exceeded']);
  await hearth.define('hungry', 'def handler(message, context):\n    held = []\n    while True: held.append(b"x" * (1 << 20))');
  const large = await hearth.call('/hungry');
  expect([large.status, (await json(large)).code]).toEqual([502, 'out_of_memory']);
});

it('takes a booted container from its pool for a cold start', async () => {
  await hearth.define('fresh', 'def handler(message, context): return 1');
  const metric = async (name: string) => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(await (await fetch(`${hearth.api}/metrics`)).text())?.[1]);
  const hits = await metric('hearth_pool_takes_total\\{result="hit"\\}');
  await until(async () => (await metric('hearth_pool_stocked\\{.*\\}')) > 0);
  expect((await hearth.call('/fresh')).headers.get('x-hearth-start')).toBe('cold');
  expect(await metric('hearth_pool_takes_total\\{result="hit"\\}')).toBe(hits + 1);
});

it('that was killed leaves containers behind, which its next start removes, and answers as before', async () => {
  const label = JSON.stringify({ label: [`hearth.platform=${groupPrefix(hearth.dataFolder)}`] });
  const mine = () => docker.api<unknown[]>('GET', `/containers/json?all=true&filters=${encodeURIComponent(label)}`);
  const { dataFolder } = hearth;
  await hearth.stop('SIGKILL');
  const left = await docker.containers();
  expect(left.length).toBeGreaterThan(0);
  hearth = await hearthOn(docker, {}, { dataFolder, requirements: 'pika==1.3.2\n' });
  expect((await docker.containers()).filter((name) => left.includes(name))).toEqual([]);
  expect((await hearth.call('/who')).status).toBe(200);
  expect((await mine()).length).toBeGreaterThan(0);
});

it('answers 503 while its engine is stopped, says what to do, and goes on once it is back', async () => {
  await docker.stopEngine();
  const refused = await until(async () => {
    const response = await hearth.call('/who');
    return response.status === 503 && response;
  });
  expect(await json(refused)).toMatchObject({ code: 'sandbox_unavailable', detail: expect.stringContaining('systemctl start docker') });
  await docker.startEngine();
  expect(
    (
      await until(async () => {
        const response = await hearth.call('/who');
        return response.ok && response;
      }, 60_000)
    ).status,
  ).toBe(200);
  await until(async () => (await docker.containers()).length > 0);
});

it('survives an engine that is killed, and answers by new containers when that is back', async () => {
  expect((await hearth.call('/who')).status).toBe(200);
  const before = await docker.containers();
  await docker.stopEngine('SIGKILL');
  await docker.startEngine();
  await until(async () => (await hearth.call('/who')).ok, 60_000);
  // What the engine ends at its start, because it can't take it over, is removed too.
  await until(async () => {
    const states = await docker.api<{ Names: string[]; State: string }[]>('GET', '/containers/json?all=true');
    return states.every(({ State }) => State === 'running');
  }, 60_000);
  expect(before.length).toBeGreaterThan(0);
});

it('answers, and stops, although its engine has hung, whose containers it ends all the same', async () => {
  await using platform = await hearthOn(docker, { HEARTH_POOL_MINIMUM: '0', HEARTH_POOL_MAXIMUM: '0' });
  await platform.define('slow', 'import time\ndef handler(message, context): time.sleep(1000 if message["query"] else 0)', { timeout_ms: 2000 });
  const names = await docker.containers();
  // A container may take longer than the function may.
  await until(async () => (await platform.call('/slow')).ok);
  const waiting = platform.call('/slow?long');
  await until(async () => (await platform.instances('slow'))[0]?.state === 'busy');
  docker.hangEngine();
  try {
    expect((await waiting).status).toBe(504);
    expect(await platform.stop()).toBe(0);
  } finally {
    docker.wakeEngine();
  }
  // What could not be removed is dead, and swept by the next start.
  await until(async () => (await docker.containers()).length <= names.length);
}, 120_000);

it('removes every container when it stops', async () => {
  expect(await hearth.stop()).toBe(0);
  expect(await docker.containers()).toEqual([]);
});

it('is what `auto` takes where bubblewrap does not work, and stops although its engine is gone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-test-bwrap-'));
  await writeFile(join(folder, 'bwrap'), '#!/bin/sh\necho "bwrap: No permissions to create new namespace" >&2\nexit 1\n', { mode: 0o755 });
  const settings = { HEARTH_SANDBOX_DRIVER: 'auto', PATH: `${folder}:/usr/sbin:/usr/bin:/sbin:/bin` };
  const { code, stdout } = await hearthCommand(['doctor'], { ...docker.settings, ...settings });
  expect(stdout).toMatch(/^ok {3} bubblewrap: can not be used here, so Docker is: /m);
  expect(stdout).toMatch(/^FAIL {2}node image: .*`hearth images build`.* Functions for Node\.js are refused so long\.$/m);
  expect(stdout).toMatch(/^Isolation: full \(docker; networks: none, egress, host\)\.$/m);
  expect(code).toBe(0);
  await using platform = await hearthOn(docker, settings);
  expect(platform.output).toContain('Driver: docker');
  const refused = await platform.post('/functions', { event_type: 'http|*|/js', function_name: 'js', function_code: '1', runtime: 'nodejs' });
  expect([refused.status, (await json(refused)).detail]).toEqual([422, expect.stringContaining('docker.node_images')]);
  await platform.define('there', 'def handler(message, context): return 1');
  expect((await platform.call('/there')).status).toBe(200);
  await docker.stopEngine('SIGKILL');
  expect(await platform.stop()).toBe(0);
  await rm(folder, { recursive: true });
});

it('does not start without its image, and names the command that builds it; hearth doctor says the same', async () => {
  await using bare = await Docker.start({ bare: true });
  const settings = { ...bare.settings };
  await expect(hearthOn(bare)).rejects.toThrow('hearth images build');
  const { code, stdout } = await hearthCommand(['doctor'], settings);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^ok {3} docker engine: /m);
  expect(stdout).toMatch(/^FAIL {2}docker image: .*`hearth images build`/m);
});
