import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { groupPrefix } from '../../../src/sandbox/cgroup/group-prefix.ts';
import { Hearth, json, until } from '../../support/hearth.ts';

const MIB = 1024 * 1024;
const BOMB = 'hold = [bytearray(1 << 20) for _ in range(2000)]';

/** Groups on this machine that belong to the platform of that data folder. */
function groupsOf(dataFolder: string): string[] {
  const prefix = groupPrefix(dataFolder);
  const parents = JSON.parse(readFileSync(join(dataFolder, 'cgroups.json'), 'utf8')) as string[];
  return parents.flatMap((parent) => readdirSync(parent).flatMap((name) => (name.startsWith(prefix) ? [join(parent, name)] : [])));
}

function inodeOf(folder: string): number | undefined {
  return statSync(folder, { throwIfNoEntry: false })?.ino;
}

/** Where this machine lets us have them: as root on most, as an ordinary user below a delegated group. */
async function hasCgroups(): Promise<boolean> {
  await using hearth = await Hearth.start();
  return JSON.parse(readFileSync(join(hearth.dataFolder, 'cgroups.json'), 'utf8')).length > 0;
}

const bounded = await hasCgroups();

describe.runIf(bounded)('a platform with cgroups', () => {
  let hearth: Hearth;
  beforeAll(async () => {
    hearth = await Hearth.start({ settings: { HEARTH_LIMITS_MEMORY_PER_INSTANCE_BYTES: String(64 * MIB), HEARTH_LIMITS_MAX_CPU: '4' } });
    await hearth.define('neighbour', 'calls = 0\ndef handler(message, context):\n    global calls\n    calls += 1\n    return calls');
    await hearth.call('/neighbour');
  });
  afterAll(() => hearth[Symbol.asyncDispose]());

  it('tells the caller of a handler that its memory was used up, replaces the instance and leaves the neighbour alone', async () => {
    await hearth.define('bomb', `def handler(message, context):\n    if message["query"].get("big"):\n        ${BOMB}\n    return "fine"`);
    const before = await json(await hearth.call('/neighbour'));
    const response = await hearth.call('/bomb?big=1');
    expect(response.status).toBe(502);
    expect(await json(response)).toMatchObject({
      code: 'out_of_memory',
      fault: 'function',
      memory_limit_bytes: 64 * MIB,
      detail: expect.stringMatching(/bomb needed more than the 64 MiB .*`memory_mb`/),
    });
    expect(await hearth.record(response)).toMatchObject({ state: 'failed', error_code: 'out_of_memory' });
    expect(await (await hearth.call('/bomb')).text()).toBe('fine');
    expect(await json(await hearth.call('/neighbour'))).toBe(Number(before) + 1);
  });

  it('kills one run of a script, and other runs of the same instance go on', async () => {
    const code = `
import os, time
import pika
if "big" in os.environ["HTTP_QUERY"]:
    ${BOMB}
print("waiting", flush=True)
time.sleep(2)
headers = dict(line.split(": ", 1) for line in os.environ["HTTP_HEADER"].splitlines())
connection = pika.BlockingConnection(pika.ConnectionParameters(host="message_queue"))
connection.channel().basic_publish(exchange="", routing_key=headers["X-Correlation-Id"], body="calm")
`;
    await hearth.define('script', code, { requirements: 'pika==1.3.2\n', max_instances: 1 });
    const calm = hearth.call('/script');
    await until(async () => {
      const [instance] = await hearth.instances('script');
      return instance && (await (await fetch(`${hearth.api}/functions/instances/${instance.id}/logs`)).text()).includes('waiting');
    });
    const bomb = await hearth.call('/script?big=1');
    expect([bomb.status, (await json(bomb)).code]).toEqual([502, 'out_of_memory']);
    const answer = await calm;
    expect([answer.status, await answer.text()]).toEqual([200, 'calm']);
    const again = await hearth.call('/script');
    expect(again.headers.get('x-serverless-instance-id')).toBe(bomb.headers.get('x-serverless-instance-id'));
  });

  it('says so of a function that uses it up while it is loaded', async () => {
    await hearth.define('loader', `${BOMB}\ndef handler(message, context):\n    return 1`);
    expect(await json(await hearth.call('/loader'))).toMatchObject({ code: 'out_of_memory' });
  });

  it('gives a function what it asks for', async () => {
    await hearth.define('large', 'def handler(message, context):\n    return len(bytearray(120 << 20))', { memory_mb: 200, cpu: 1.5 });
    expect(await json(await hearth.call('/large'))).toBe(120 << 20);
    const described = (await hearth.get('/functions/large')) as Record<string, unknown>;
    expect(described).toMatchObject({ memory_mb: 200, cpu: 1.5 });
  });

  it('refuses a function that asks for more than the operator allows', async () => {
    const definition = { event_type: 'http|GET|/greedy', function_name: 'greedy', function_code: 'def handler(m, c): pass' };
    for (const [member, value] of [
      ['memory_mb', 1024 * 1024],
      ['cpu', 4.5],
    ] as const) {
      const response = await hearth.post('/functions', { ...definition, [member]: value });
      expect(response.status).toBe(422);
      expect(await json(response)).toMatchObject({ code: 'invalid_request', errors: [{ field: member }] });
    }
  });

  it('survives a fork bomb', async () => {
    const code = `
import os, time
def handler(message, context):
    for _ in range(3):
        try:
            if os.fork() == 0:
                while True:
                    try:
                        os.fork()
                    except OSError:
                        time.sleep(0.01)
        except OSError:
            break
    time.sleep(100)
`;
    await hearth.define('forks', code, { timeout_ms: 1500, memory_mb: 1024 });
    const response = await hearth.call('/forks');
    expect(response.status).toBe(504);
    expect((await hearth.call('/neighbour')).status).toBe(200);
  });
});

describe.runIf(bounded)('the cgroups of a platform', () => {
  const dataFolder = mkdtempSync(join(tmpdir(), 'hearth-test-left-'));
  afterAll(() => rmSync(dataFolder, { recursive: true, force: true }));
  const code = 'import os, time\ndef handler(message, context):\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(100)\n    return 1';

  it('are gone when it has stopped', async () => {
    await using hearth = await Hearth.start({ dataFolder });
    await hearth.define('daemon', code);
    await hearth.call('/daemon');
    expect(groupsOf(dataFolder)).not.toEqual([]);
    await hearth.stop();
    expect(groupsOf(dataFolder)).toEqual([]);
  });

  it('are removed by the next start when it was killed, and those of another platform are not', async () => {
    await using other = await Hearth.start();
    await other.define('daemon', code);
    await other.call('/daemon');
    await using hearth = await Hearth.start({ dataFolder });
    await hearth.call('/daemon');
    await hearth.stop('SIGKILL');
    // The next platform counts from the same number on: a group is known by its inode.
    const left = groupsOf(dataFolder).map((folder) => ({ folder, inode: inodeOf(folder) }));
    expect(left).not.toEqual([]);
    await using next = await Hearth.start({ dataFolder });
    expect(left.filter(({ folder, inode }) => inodeOf(folder) === inode)).toEqual([]);
    expect(groupsOf(other.dataFolder)).not.toEqual([]);
    expect((await other.call('/daemon')).status).toBe(200);
    await next.stop();
    expect(groupsOf(dataFolder)).toEqual([]);
  });
});

describe('a platform whose operator requires cgroups', () => {
  it('does not start where they can not be had, and says why', async () => {
    // A file where a group should be.
    const settings = { HEARTH_SANDBOX_LIMITS: 'require', HEARTH_SANDBOX_CGROUP_PARENT: '/cgroup.procs/x' };
    await expect(Hearth.start({ settings })).rejects.toThrow(/sandbox\.limits is require.*limits memory: no cgroup.*Reason/s);
  });
});

describe('a platform without cgroups', () => {
  it('says what is not bounded, and has each process bound its own memory', async () => {
    await using hearth = await Hearth.start({
      settings: { HEARTH_SANDBOX_LIMITS: 'off', HEARTH_LIMITS_MEMORY_PER_INSTANCE_BYTES: String(64 * MIB) },
    });
    expect(hearth.output).toMatch(/not bounded: no cgroup: .*RLIMIT_DATA/);
    await hearth.define('bomb', `def handler(message, context):\n    ${BOMB}`);
    expect(await json(await hearth.call('/bomb'))).toMatchObject({ code: 'function_failed', function_error: { type: 'MemoryError' } });
    const response = await hearth.post('/functions', {
      event_type: 'http|GET|/greedy',
      function_name: 'greedy',
      function_code: 'def handler(m, c): pass',
      cpu: 1,
    });
    expect(await json(response)).toMatchObject({ code: 'invalid_request', errors: [{ field: 'cpu' }] });
  });
});
