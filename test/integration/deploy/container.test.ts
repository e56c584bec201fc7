import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Docker, NODE_BASE } from '../../support/docker.ts';
import { Hearth, until } from '../../support/hearth.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const IMAGE = 'hearth:test';
const USER = 1500;

interface ContainerState {
  State: { Running: boolean; Health?: { Status: string }; ExitCode: number };
}

/** The image of deploy/Dockerfile on a real engine, without a registry: a base that the test has made, and a context that brings the dependencies. */
describe('the platform in a container', () => {
  const token = randomBytes(24).toString('hex');
  let docker: Docker;
  let folder: string;
  let gateway: string;
  let api: string;
  let id: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-container-'));
    docker = await Docker.start();
    await docker.buildNodeBase();
    await buildPlatform();
    // The path is the same inside and outside; its user is the image's.
    await mkdir(join(folder, 'data'), { mode: 0o711 });
    await buildLayer();
    await run('chown', ['-R', `${USER}:${USER}`, join(folder, 'data')]);
    await chown(docker.socket, 0, USER);
    const [gatewayPort, apiPort] = await freePorts();
    [gateway, api] = [`http://127.0.0.1:${gatewayPort}`, `http://127.0.0.1:${apiPort}`];
    ({ Id: id } = await docker.api<{ Id: string }>('POST', '/containers/create?name=hearth', {
      Image: IMAGE,
      // As compose.platform.yml has it, save the network: the engine of this test has no bridge.
      HostConfig: {
        NetworkMode: 'host',
        Init: true,
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges:true'],
        Tmpfs: { '/tmp': 'size=256m,mode=1777' },
        Binds: [`${folder}/data:${folder}/data`, `${docker.socket}:/var/run/docker.sock`],
      },
      Env: [
        `HEARTH_DATA_DIR=${folder}/data`,
        `HEARTH_LAYERS_REQUIREMENTS=${folder}/data/requirements.txt`,
        'HEARTH_SANDBOX_DRIVER=docker',
        `HEARTH_API_ADMIN_TOKEN=${token}`,
        'HEARTH_API_ALLOWED_HOSTS=127.0.0.1',
        `HEARTH_GATEWAY_PORT=${gatewayPort}`,
        `HEARTH_API_PORT=${apiPort}`,
      ],
    }));
    await docker.api('POST', `/containers/${id}/start`);
    await until(async () => {
      const { State } = await docker.api<ContainerState>('GET', `/containers/${id}/json`);
      if (!State.Running) throw new Error(`the platform ended with ${State.ExitCode}:\n${await logs()}`);
      return (await fetch(`${api}/health`).catch(() => null))?.ok;
    }, 120_000);
  });

  afterAll(async () => {
    await docker?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const logs = () => docker.api<string>('GET', `/containers/${id}/logs?stdout=true&stderr=true&tail=100`);

  it('asks for a token, since it listens on more than loopback', async () => {
    expect((await fetch(`${api}/functions`)).status).toBe(401);
    expect((await fetch(`${api}/functions`, { headers: { Authorization: `Bearer ${token}` } })).status).toBe(200);
  });

  it("runs the newcomer's workflow, functions in containers beside its own", async () => {
    const { stdout } = await run('bash', [join(ROOT, 'test/acceptance/seed-workflow.sh'), api, gateway], {
      env: { ...process.env, HEARTH_TOKEN: token },
      timeout: 240_000,
    }).catch(async (error: { stdout: string }) => {
      throw new Error(`${error.stdout}\n${await logs()}`);
    });
    expect(stdout).toMatch(/\n\d+ passed, 0 failed\n$/);
  }, 280_000);

  it('is found healthy by the engine', async () => {
    await until(async () => {
      const { Health } = (await docker.api<ContainerState>('GET', `/containers/${id}/json`)).State;
      if (Health?.Status === 'unhealthy') throw new Error(JSON.stringify(Health));
      return Health?.Status === 'healthy';
    }, 150_000);
  }, 160_000);

  it('has the engine build the image of functions, asked from inside', async () => {
    const { Id: builder } = await docker.api<{ Id: string }>('POST', '/containers/create?name=builder', {
      Image: IMAGE,
      Cmd: ['images', 'build', 'python', '--base', 'hearth-test-base:latest'],
      HostConfig: { NetworkMode: 'none', ReadonlyRootfs: true, CapDrop: ['ALL'], Binds: [`${docker.socket}:/var/run/docker.sock`] },
    });
    await docker.api('POST', `/containers/${builder}/start`);
    const { StatusCode } = await docker.api<{ StatusCode: number }>('POST', `/containers/${builder}/wait`);
    expect(await docker.api<string>('GET', `/containers/${builder}/logs?stdout=true&stderr=true`)).toMatch(/hearth-python:[0-9a-f]+/);
    expect(StatusCode).toBe(0);
    await docker.api('DELETE', `/containers/${builder}`);
  }, 120_000);

  it('ends well when it is told to stop, and leaves no container of a function', async () => {
    await docker.api('POST', `/containers/${id}/stop?t=90`);
    expect((await docker.api<ContainerState>('GET', `/containers/${id}/json`)).State.ExitCode).toBe(0);
    expect(await docker.containers()).toEqual(['/hearth']);
  }, 120_000);

  /** By a platform outside, which knows where this machine finds packages: the one in the container then finds the layer there, for it has the same Python. */
  async function buildLayer(): Promise<void> {
    await using outside = await Hearth.start({ dataFolder: join(folder, 'data'), requirements: 'pika>=1.3\n' });
    expect(outside.output).not.toContain('can not be registered yet');
  }

  async function buildPlatform(): Promise<void> {
    const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { dev?: boolean; optional?: boolean }>;
    };
    const wanted = Object.entries(lock.packages).filter(([path, { dev }]) => path.startsWith('node_modules/') && !dev);
    const context = join(folder, 'context');
    for (const path of ['package.json', 'package-lock.json', 'requirements.functions.txt', 'LICENSE', 'bin', 'src', 'runtimes', 'deploy'])
      await cp(join(ROOT, path), join(context, path), { recursive: true });
    for (const [path] of wanted) {
      // Optional ones are those of other machines.
      await cp(join(ROOT, path), join(context, path), { recursive: true }).catch(() => undefined);
    }
    const buildargs = JSON.stringify({ BASE_IMAGE: NODE_BASE, PACKAGES: '' });
    await docker.build(context, { t: IMAGE, dockerfile: 'deploy/Dockerfile', buildargs });
    await rm(context, { recursive: true });
  }
});

async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()].map((server) => server.listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  for (const server of servers) server.close();
  return ports as [number, number];
}
