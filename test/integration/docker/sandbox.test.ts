import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDockerDriver } from '../../../src/sandbox/docker/docker-driver.ts';
import type { DockerSettings } from '../../../src/sandbox/docker/docker-options.ts';
import type { Sandbox } from '../../../src/sandbox/driver.ts';
import { Docker } from '../../support/docker.ts';
import { until } from '../../support/hearth.ts';
import { hardeningSuite } from '../sandbox/hardening-suite.ts';
import { type DriverUnderTest, isolationSuite } from '../sandbox/isolation-suite.ts';
import { driverOptions, Inside, processesOfUsers, sandboxSpec } from '../sandbox/support.ts';

const docker = await Docker.start();
const image = await docker.buildImage();
const dataFolder = mkdtempSync(join(tmpdir(), 'hearth-data-'));
afterAll(async () => {
  await docker[Symbol.asyncDispose]();
  rmSync(dataFolder, { recursive: true });
});

function settings(): DockerSettings {
  return {
    socket: docker.socket,
    image,
    network: 'cloud_net',
    runtime: '',
    platformId: 'hearth-of-a-test',
    dataFolder,
    engineDataFolder: dataFolder,
    openEgress: false,
    limits: { memoryBytes: 128 * 1024 * 1024, cpu: null, processes: 64 },
    buildMemoryBytes: 512 * 1024 * 1024,
  };
}

const container = (): DriverUnderTest => ({
  driver: createDockerDriver({ ...driverOptions(), docker: settings() }),
  prepare: async () => undefined,
  isContainer: true,
});

isolationSuite('docker', container);
hardeningSuite('docker', container);

describe('a container', () => {
  const driver = createDockerDriver({ ...driverOptions(), docker: settings() });
  let sandbox: Sandbox;
  let inside: Inside;

  beforeAll(async () => {
    sandbox = await driver.create(sandboxSpec('none'));
    inside = new Inside(sandbox);
  });
  afterAll(() => driver.close());

  it('sees every mount read-only but /tmp, /function and /dev/shm, and a /dev that root alone may write', async () => {
    const code = `
seen = {}
for line in open("/proc/self/mountinfo"):
    fields = line.split()
    for hidden in [t for t in seen if t == fields[4] or t.startswith(fields[4] + "/")]: del seen[hidden]
    seen[fields[4]] = fields[5].split(",")
result = sorted(t for t, options in seen.items() if "ro" not in options and not t.startswith("/proc/"))
`;
    expect(await inside.run(code)).toEqual(['/dev', '/dev/shm', '/function', '/tmp']);
  });

  it('finds nothing of the door through which it came, and the platform leaves nothing of it on disk', async () => {
    expect(await inside.run('import os; result = os.listdir("/run/hearth")')).toEqual([]);
    expect(readdirSync(join(dataFolder, 'docker/doors'))).toEqual([]);
  });

  it('knows the name of its user', async () => {
    expect(await inside.run('import getpass, os, pwd; result = [getpass.getuser(), pwd.getpwuid(os.getuid()).pw_dir]')).toEqual(['function', '/tmp']);
  });

  it('may hold only so much memory and so many processes as it was told, also when it is told otherwise later', async () => {
    expect(await inside.run('result = [open("/proc/self/oom_score_adj").read() != "", 1]')).toEqual([true, 1]);
    const before = await docker.api<{ Id: string; Names: string[] }[]>('GET', '/containers/json');
    const id = before.find(({ Names }) => Names.includes(`/hearth-${sandbox.id}`))?.Id;
    const limits = async () => {
      const { HostConfig } = await docker.api<{ HostConfig: Record<string, number> }>('GET', `/containers/${id}/json`);
      const { Memory, MemorySwap, CpuQuota, PidsLimit } = HostConfig;
      return { Memory, MemorySwap, CpuQuota, PidsLimit };
    };
    const MIB = 1024 * 1024;
    expect(await limits()).toEqual({ Memory: 128 * MIB, MemorySwap: 128 * MIB, CpuQuota: -1, PidsLimit: 65 });
    await sandbox.limit({ memoryBytes: 160 * MIB, cpu: 0.5 });
    expect(await limits()).toEqual({ Memory: 160 * MIB, MemorySwap: 160 * MIB, CpuQuota: 50_000, PidsLimit: 65 });
    await sandbox.limit({ memoryBytes: 96 * MIB });
    await sandbox.limit({ cpu: null });
    expect(await limits()).toEqual({ Memory: 96 * MIB, MemorySwap: 96 * MIB, CpuQuota: -1, PidsLimit: 65 });
  });

  it('is measured by what its processes hold', async () => {
    await inside.run('import builtins; builtins.held = bytearray(b"x" * (40 << 20))');
    const { pssBytes, processes } = await sandbox.stats();
    expect(pssBytes).toBeGreaterThan(40 * 1024 * 1024);
    expect(pssBytes).toBeLessThan(96 * 1024 * 1024);
    expect(processes).toBe(1);
    await inside.run('import builtins; del builtins.held');
  });

  it('counts what the kernel kills for want of memory, while it lives and when it is gone', async () => {
    const hungry = await driver.create(sandboxSpec('none'));
    const within = new Inside(hungry);
    expect(await hungry.oomKills()).toBe(0);
    const code = `
import os
pid = os.fork()
if pid == 0:
    held = b"".join(bytes(b"x" * (1 << 20)) for _ in range(1 << 10))
    os._exit(0)
result = os.waitpid(pid, 0)[1]
`;
    expect(await within.run(code)).toBe(9);
    await until(async () => (await hungry.oomKills()) === 1);
    hungry.kill();
    expect(await hungry.exited).toMatchObject({ signal: 'SIGKILL', oomKills: 1 });
  });

  it('passes on what it writes, and how it ended', async () => {
    const talking = await driver.create(sandboxSpec('none'));
    let said = '';
    talking.onOutput((stream, chunk) => {
      said += `${stream}: ${chunk}`;
    });
    talking.channel.write(`${JSON.stringify('import os; os.write(1, b"to the one\\n"); os.write(2, b"to the other\\n"); os._exit(7)')}\n`);
    expect(await talking.exited).toEqual({ code: 7, signal: null });
    expect(said).toContain('stdout: to the one\n');
    expect(said).toContain('stderr: to the other\n');
  });

  it('is gone from the engine when it has ended, with everything that it started', async () => {
    const uidBase = 1_700_000_000 + process.pid * 10;
    const own = createDockerDriver({ ...driverOptions({ uidBase }), docker: { ...settings(), platformId: 'hearth-of-a-tree' } });
    const tree = await own.create(sandboxSpec('none'));
    await new Inside(tree).run('import os\nfor _ in range(3):\n  if os.fork() == 0:\n    os.setsid()\n    import time; time.sleep(1000)');
    expect(processesOfUsers(uidBase, uidBase + 10).length).toBeGreaterThanOrEqual(5);
    tree.kill();
    expect(await tree.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await docker.containers()).not.toContain(`/hearth-${tree.id}`);
    await expect(tree.stats()).rejects.toThrow('has ended');
    expect(processesOfUsers(uidBase, uidBase + 10)).toEqual([]);
    await own.close();
  });

  it('of mode egress reaches neither the host nor the metadata services of clouds', async () => {
    const server = createServer().listen(0, '0.0.0.0');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const outside = await driver.create(sandboxSpec('egress'));
    const within = new Inside(outside);
    const { IPAM } = await docker.api<{ IPAM: { Config: { Gateway: string }[] } }>('GET', '/networks/cloud_net');
    const gateway = IPAM.Config[0]?.Gateway ?? '';
    expect(gateway).not.toBe('');
    const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).filter(({ family }) => family === 'IPv4'));
    const hosts = new Set([gateway, ...addresses.map(({ address }) => address), '127.0.0.1', '169.254.169.254']);
    for (const host of hosts) {
      const code = `
import socket
try:
    socket.create_connection(("${host}", ${port}), timeout=5)
    result = "connected"
except OSError as e:
    result = e.errno
`;
      // ECONNREFUSED by its own loopback, EHOSTUNREACH by the routes.
      expect(await within.run(code), host).toBe(host === '127.0.0.1' ? 111 : 113);
    }
    const { Labels } = await docker.api<{ Labels: Record<string, string> }>('GET', '/networks/cloud_net');
    expect(Labels).toEqual({ 'hearth.platform': 'hearth-of-a-test' });
    outside.kill();
    await outside.exited;
    server.close();
  });

  it('of mode egress reaches its neighbours on the network by name', async () => {
    const spec = sandboxSpec('egress');
    const [one, other] = await Promise.all([driver.create(spec), driver.create(sandboxSpec('egress'))]);
    await new Inside(one).run('import builtins, socket; builtins.listener = socket.create_server(("0.0.0.0", 6379))');
    const code = `import socket; socket.create_connection(("hearth-${spec.id}", 6379), timeout=5); result = "connected"`;
    expect(await new Inside(other).run(code)).toBe('connected');
    for (const sandbox of [one, other]) sandbox.kill();
    await Promise.all([one.exited, other.exited]);
  });

  it('builds what it is told to in a folder of the platform, and is killed at its timeout', async () => {
    const outputFolder = join(dataFolder, 'built');
    let said = '';
    const spec = { id: 'test-build', environment: { WORD: 'of mine' }, inputs: { 'word.txt': 'hello' }, network: 'none' as const, timeoutMs: 60_000 };
    const code = 'import os; open("/build/made", "w").write(open("/input/word.txt").read() + os.environ["WORD"]); print("done")';
    const onOutput = (chunk: Buffer) => {
      said += chunk;
    };
    expect(await driver.build({ ...spec, argv: ['python', '-c', code], outputFolder, onOutput })).toEqual({ code: 0, timedOut: false });
    expect(readFileSync(join(outputFolder, 'made'), 'utf8')).toBe('helloof mine');
    expect(readdirSync(outputFolder)).toEqual(['made']);
    expect(said).toBe('done\n');
    rmSync(outputFolder, { recursive: true });
    const slow = { ...spec, argv: ['python', '-c', 'import time; time.sleep(1000)'], outputFolder, onOutput, timeoutMs: 1000 };
    expect(await driver.build(slow)).toEqual({ code: null, timedOut: true });
    expect(readdirSync(join(dataFolder, 'docker')).filter((name) => name.startsWith('inputs'))).toEqual([]);
  });

  it('whose agent can not start tells why', async () => {
    const crashing = createDockerDriver({ ...driverOptions({ agentEntry: 'crash.py' }), docker: settings() });
    await expect(crashing.create(sandboxSpec('none'))).rejects.toMatchObject({
      code: 'sandbox_unavailable',
      message: expect.stringContaining('ended before it said Hello'),
    });
    await crashing.close();
  });

  it('finds its folders where the engine has the data folder of a platform in a container', async () => {
    const here = join(dataFolder, 'here');
    cpSync(driverOptions().agentFolder, join(here, 'agent'), { recursive: true });
    symlinkSync(here, join(dataFolder, 'there'));
    const mapped = { ...settings(), dataFolder: here, engineDataFolder: join(dataFolder, 'there'), platformId: 'hearth-in-a-container' };
    const inContainer = createDockerDriver({ ...driverOptions({ agentFolder: join(here, 'agent') }), docker: mapped });
    const far = await inContainer.create(sandboxSpec('none'));
    expect(await new Inside(far).run('result = 42')).toBe(42);
    const elsewhere = inContainer.create(sandboxSpec('none', { layers: ['/usr/share'] }));
    await expect(elsewhere).rejects.toMatchObject({ code: 'sandbox_unavailable', message: expect.stringContaining('not below the data folder') });
    await inContainer.close();
  });

  it('of mode egress is refused on a network with IPv6, by which the host could be reached', async () => {
    await docker.api('POST', '/networks/create', {
      Name: 'six',
      Driver: 'bridge',
      EnableIPv6: true,
      IPAM: { Config: [{ Subnet: 'fd00:dead::/64' }] },
    });
    const six = createDockerDriver({ ...driverOptions(), docker: { ...settings(), network: 'six', platformId: 'hearth-of-six' } });
    await expect(six.create(sandboxSpec('egress'))).rejects.toMatchObject({ code: 'network_unavailable', message: expect.stringContaining('IPv6') });
    await six.close();
  });

  it('whose image or runtime the engine does not have is refused with what to do', async () => {
    const refusal = async (changed: Partial<DockerSettings>) => {
      const other = createDockerDriver({ ...driverOptions(), docker: { ...settings(), ...changed } });
      const probes = await other.probe();
      const error = await other.create(sandboxSpec('none')).catch((error: Error) => error);
      await other.close();
      return [probes.at(-1), error] as const;
    };
    const [noImage, imageError] = await refusal({ image: 'hearth-python:none' });
    expect(noImage).toEqual({ name: 'docker image', ok: false, detail: expect.stringContaining('hearth images build') });
    expect(imageError).toMatchObject({ code: 'sandbox_unavailable', message: expect.stringContaining('`hearth images build`') });
    const [noRuntime, runtimeError] = await refusal({ runtime: 'runsc' });
    expect(noRuntime).toEqual({ name: 'docker runtime', ok: false, detail: expect.stringContaining("no runtime 'runsc'") });
    expect(runtimeError).toMatchObject({ code: 'sandbox_unavailable', message: expect.stringContaining('daemon.json') });
  });

  it('of a platform that was killed is removed by the next one, and those of other platforms are not', async () => {
    const other = createDockerDriver({ ...driverOptions(), docker: { ...settings(), platformId: 'hearth-of-another' } });
    const [forgotten, foreign] = await Promise.all([driver.create(sandboxSpec('none')), other.create(sandboxSpec('none'))]);
    const next = createDockerDriver({ ...driverOptions(), docker: settings() });
    const first = await next.create(sandboxSpec('none'));
    await forgotten.exited;
    const names = await docker.containers();
    expect(names).toContain(`/hearth-${first.id}`);
    expect(names).toContain(`/hearth-${foreign.id}`);
    expect(names).not.toContain(`/hearth-${forgotten.id}`);
    await Promise.all([next.close(), other.close()]);
  });
});
