import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** As a user's shell has it: the Node.js that runs this test first, and none of our own settings. */
function userEnvironment(): Record<string, string | undefined> {
  const environment: Record<string, string | undefined> = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` };
  // npm hands its settings to what it runs; a prefix or a dry run must not come to the npm in here.
  for (const name of Object.keys(environment))
    if (/^(HEARTH_|npm_config_(prefix|global|dry_run|local_prefix)|VITEST)/i.test(name)) delete environment[name];
  return environment;
}

async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()] as const;
  const listen = async (server: (typeof servers)[number]): Promise<number> => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as { port: number }).port;
  };
  const ports: [number, number] = [await listen(servers[0]), await listen(servers[1])];
  for (const server of servers) server.close();
  return ports;
}

describe('the package, packed and installed globally', () => {
  let folder: string;
  let hearth: string;
  let packed: string[];
  let platform: ChildProcess | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-packaging-'));
    const env = userEnvironment();
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root, env, maxBuffer: 16 * 1024 * 1024 });
    const { filename, files } = parsePackReport(stdout);
    packed = files.map((file) => file.path);
    const prefix = join(folder, 'prefix');
    const options = ['--omit=dev', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'];
    await run('npm', ['install', '--global', '--prefix', prefix, ...options, join(folder, filename)], { cwd: folder, env });
    hearth = join(prefix, 'bin', 'hearth');
  });

  afterEach(async () => {
    if (platform && platform.exitCode === null && platform.signalCode === null) {
      platform.kill('SIGKILL');
      await once(platform, 'exit');
    }
    platform = undefined;
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test('holds what running takes, and neither tests nor sources nor caches', () => {
    for (const file of [
      'bin/hearth.js',
      'dist/cli/main.js',
      'dist/main.js',
      'dashboard/dist/index.html',
      'requirements.functions.txt',
      'LICENSE',
      'package.json',
    ])
      expect(packed).toContain(file);
    expect(packed.some((file) => /^runtimes\/python\/.+\.py$/.test(file))).toBe(true);
    expect(packed.filter((file) => /(^|\/)(tests?|__pycache__|node_modules)\/|\.test\.|^src\//.test(file))).toEqual([]);
  });

  test('prints its version, from a folder that is not a checkout', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    const { stdout } = await run(hearth, ['--version'], { cwd: folder, env: userEnvironment() });
    expect(stdout.trim()).toBe(version);
  });

  test('examines the machine, and finds the runtime that came with it', async () => {
    const env = { ...userEnvironment(), HEARTH_DATA_DIR: join(folder, 'data') };
    const { stdout } = await run(hearth, ['doctor', '--json'], { cwd: folder, env });
    const report = JSON.parse(stdout) as { usable: boolean; probes: { name: string; ok: boolean; detail: string }[] };
    expect(report.usable).toBe(true);
    const agent = report.probes.find((probe) => probe.name === 'agent');
    expect(agent).toMatchObject({ ok: true, detail: expect.stringContaining(join('node_modules', 'hearth', 'runtimes', 'python')) });
  });

  test('comes up, answers the health check and ends well on SIGTERM', async () => {
    const [gatewayPort, apiPort] = await freePorts();
    const env = {
      ...userEnvironment(),
      HEARTH_DATA_DIR: join(folder, 'data'),
      HEARTH_GATEWAY_PORT: String(gatewayPort),
      HEARTH_API_PORT: String(apiPort),
    };
    const child = spawn(hearth, ['up'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    platform = child;
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const exited = once(child, 'exit');

    let status: number | undefined;
    while (status !== 200 && child.exitCode === null && child.signalCode === null) {
      status = await fetch(`http://127.0.0.1:${apiPort}/health`).then(
        (response) => response.status,
        () => undefined, // not listening yet
      );
      if (status !== 200) await sleep(50);
    }
    expect(status, output).toBe(200);
    const page = await fetch(`http://127.0.0.1:${apiPort}/`).then((response) => response.text());
    expect(page).toMatch(/<script type="module" src="\/assets\/main-\w+\.js">/);

    child.kill('SIGTERM');
    const [code] = await exited;
    expect(code, output).toBe(0);
  });
});

interface PackReport {
  filename: string;
  files: { path: string }[];
}

/** npm's report follows what the prepack script prints; npm 12 keys it by package name, older ones make it a list. */
function parsePackReport(stdout: string): PackReport {
  const start = stdout.search(/^[[{]/m);
  const report = JSON.parse(stdout.slice(start)) as PackReport[] | Record<string, PackReport>;
  const [first] = Object.values(report);
  if (!first) throw new Error(`npm pack reported no package: ${stdout}`);
  return first;
}
