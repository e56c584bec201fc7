import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inspectNode } from '../../src/sandbox/node/inspect-node.ts';
import { Hearth, until } from './hearth.ts';

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL('../../.cache', import.meta.url));
const BIN = fileURLToPath(new URL('../../bin/hearth.js', import.meta.url));
const BASE = 'hearth-test-base:latest';
/** The same with the Node.js and the npm of this machine. */
export const NODE_BASE = 'hearth-test-node-base:latest';
/**
 * Copies the files of a small Debian with Python and pip to $1/root: those of this machine's own packages, which takes a twentieth of what it takes to install them
 * once more. Documentation and the like would only slow the import.
 */
const RECIPE = String.raw`
set -e
cd /
packages=$(apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
  python3 python3-pip ca-certificates base-files base-passwd bash coreutils dash findutils grep gzip hostname libc-bin libstdc++6 login passwd sed tar tzdata |
  grep '^[a-z0-9]' | sort -u)
mkdir -p "$1/root/usr/bin" "$1/root/usr/sbin" "$1/root/usr/lib" "$1/root/usr/lib64"
cp -a /bin /sbin /lib /lib64 "$1/root"
# Some of the names are of packages that only might be there.
dpkg-query --listfiles $packages 2>/dev/null |
  grep -vE '^/(usr/share/(doc|man|locale|info)|usr/lib/python3/dist-packages/[^/]*/tests)/' | sort -u |
  while read -r file; do [ ! -e "$file" ] || [ -L "$1/root$file" ] || printf '%s\n' "$file"; done >"$1/files"
tar -C / --no-recursion --files-from="$1/files" -cf - 2>"$1/tar.log" | tar -C "$1/root" -xf -
cp -a --parents etc/ssl/certs etc/ld.so.cache "$1/root"
cp usr/share/base-passwd/passwd.master "$1/root/etc/passwd"
cp usr/share/base-passwd/group.master "$1/root/etc/group"
chroot "$1/root" python3 -m pip --version
`;
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
const CHAINS = [
  'DOCKER-USER',
  'DOCKER-ISOLATION-STAGE-1',
  'DOCKER-ISOLATION-STAGE-2',
  'DOCKER-FORWARD',
  'DOCKER-CT',
  'DOCKER-BRIDGE',
  'DOCKER-INTERNAL',
  'DOCKER',
];

/** A Docker Engine of the test's own: own folders, socket and network, and nothing left of it at the end. Needs root. Dispose of it with `await using`. */
export class Docker {
  readonly socket: string;
  readonly #folder: string;
  /** Of the kernel, before the engine switched it on. */
  readonly #forwarding: string;
  /**
   * Holds a mount namespace: what other engines on this machine mount and unmount must be none of this one's business, nor the other way round, and what it has
   * mounted goes with it.
   */
  readonly #mounts: ChildProcess;
  #engine: ChildProcess | null = null;
  #output = '';

  private constructor(folder: string, forwarding: string) {
    this.#mounts = spawn('unshare', ['--mount', '--propagation', 'private', '--', 'sleep', 'infinity'], { stdio: 'ignore', env: { PATH } });
    this.#folder = folder;
    this.#forwarding = forwarding;
    this.socket = join(folder, 'docker.sock');
  }

  /** With the image of Python functions, unless `bare`; and with that of Node.js, if `node`. */
  static async start({ bare = false, node = false } = {}): Promise<Docker> {
    const docker = new Docker(await mkdtemp(join(tmpdir(), 'hearth-docker-')), await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8'));
    try {
      await docker.#hasNamespace();
      await docker.startEngine();
      if (!bare) {
        await docker.#import(await baseImage());
        await docker.buildImage();
      }
      if (node) {
        await docker.buildNodeBase();
        await docker.buildImage('node');
      }
      return docker;
    } catch (error) {
      await docker[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Settings of a platform that uses it. */
  get settings(): Record<string, string> {
    return { HEARTH_SANDBOX_DRIVER: 'docker', HEARTH_DOCKER_SOCKET: this.socket };
  }

  async startEngine(): Promise<void> {
    const argv = [
      ...['--data-root', join(this.#folder, 'data'), '--exec-root', join(this.#folder, 'exec'), '--pidfile', join(this.#folder, 'pid')],
      // Not the machine's own configuration.
      ...['--config-file', await this.#emptyConfig(), '-H', `unix://${this.socket}`, '--bridge=none', '--shutdown-timeout=2'],
    ];
    const engine = spawn('nsenter', [`--mount=/proc/${this.#mounts.pid}/ns/mnt`, '--', 'dockerd', ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH },
      detached: true,
    });
    this.#engine = engine;
    for (const stream of [engine.stdout, engine.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    const failed = once(engine, 'exit').then(() => Promise.reject(new Error(`the engine ended:\n${this.#output.slice(-3000)}`)));
    failed.catch(() => undefined);
    await Promise.race([failed, until(() => this.#answers(), 120_000)]);
  }

  /** SIGTERM, which ends its containers; or SIGKILL, upon which they live on. */
  async stopEngine(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const engine = this.#engine;
    this.#engine = null;
    if (engine === null || engine.exitCode !== null || engine.signalCode !== null) return;
    const ended = once(engine, 'exit');
    engine.kill(signal);
    await ended;
    // Its containerd died with it; where nobody reaps that, the next engine would wait for it.
    if (signal === 'SIGKILL') await rm(join(this.#folder, 'exec/containerd/containerd.pid'), { force: true });
  }

  /** It has its connections and answers nothing. */
  hangEngine(): void {
    this.#engine?.kill('SIGSTOP');
  }

  wakeEngine(): void {
    this.#engine?.kill('SIGCONT');
  }

  /** As its operator does. */
  async buildImage(language: 'python' | 'node' = 'python'): Promise<string> {
    const { stdout } = await run(process.execPath, [BIN, 'images', 'build', language, '--base', language === 'python' ? BASE : NODE_BASE], {
      env: { PATH: process.env.PATH, HEARTH_DOCKER_SOCKET: this.socket },
    });
    return stdout.trim();
  }

  async buildNodeBase(): Promise<void> {
    const { files, npm } = await inspectNode(process.execPath, process.env.PATH ?? '');
    if (npm === null) throw new Error('there is no npm on PATH for the image of Node.js');
    const context = await mkdtemp(join(tmpdir(), 'hearth-node-base-'));
    try {
      await cp(files.executable, join(context, 'node'));
      await cp(npm.folder, join(context, 'npm'), { recursive: true });
      await mkdir(join(context, 'lib'));
      // Of what it is linked with, the base lacks this.
      for (const library of files.sharedObjects.filter((path) => path.includes('libatomic'))) await cp(library, join(context, 'lib/libatomic.so.1'));
      await writeFile(
        join(context, 'Dockerfile'),
        `FROM ${BASE}\nCOPY lib/ /usr/local/lib/\nCOPY npm /usr/local/lib/node_modules/npm\nCOPY node /usr/local/bin/node\nRUN ldconfig && node --version\n`,
      );
      await this.build(context, { t: NODE_BASE });
    } finally {
      await rm(context, { recursive: true, force: true });
    }
  }

  /**
   * As `docker build` asks the engine, which says of an error in a line of its output. Engines of Debian 12 (20.10) on recent kernels lose the mount of a layer that they
   * are working on now and then, when the machine is busy; what was built until then stays built.
   */
  async build(context: string, query: Record<string, string>, tries = 5): Promise<void> {
    const tar = spawn('tar', ['-C', context, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH } });
    const sent = request({
      socketPath: this.socket,
      method: 'POST',
      path: `/build?${new URLSearchParams({ ...query, networkmode: 'host', rm: 'true' })}`,
      headers: { Host: 'docker', 'Content-Type': 'application/x-tar' },
    });
    tar.stdout.pipe(sent);
    const [response] = await once(sent, 'response');
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    if (tries > 1 && /"errorDetail".*no such file or directory/.test(text)) return this.build(context, query, tries - 1);
    if (response.statusCode !== 200 || text.includes('"errorDetail"')) throw new Error(`the image could not be built: ${text.slice(-3000)}`);
  }

  /** The JSON of an answer. @throws for one that is no success */
  async api<T>(method: string, path: string, body?: object): Promise<T> {
    const sent = request({ socketPath: this.socket, method, path, headers: { Host: 'docker', 'Content-Type': 'application/json' } });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = await once(sent, 'response');
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
    return (response.headers['content-type']?.startsWith('application/json') && text !== '' ? JSON.parse(text) : text) as T;
  }

  /** Names of all containers, running or not. */
  async containers(): Promise<string[]> {
    return (await this.api<{ Names: string[] }[]>('GET', '/containers/json?all=true')).flatMap(({ Names }) => Names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      // One that a test has killed comes back once more, for its containers and networks; one that is broken has no say in it.
      if (this.#engine === null) await this.startEngine().catch(() => undefined);
      if (await this.#answers()) {
        const containers = await this.api<{ Id: string }[]>('GET', '/containers/json?all=true');
        await Promise.all(containers.map(({ Id }) => this.api('DELETE', `/containers/${Id}?force=true`)));
        await this.api('POST', '/networks/prune');
      }
    } finally {
      await this.stopEngine();
      for (const pid of await this.#processes()) process.kill(pid, 'SIGKILL');
      this.#mounts.kill('SIGKILL');
      await rm(this.#folder, { recursive: true, force: true });
      await this.#clearNetwork();
    }
  }

  /** Until then it is our namespace, and the engine would mount for all the machine to see. */
  async #hasNamespace(): Promise<void> {
    await until(async () => (await readFile(`/proc/${this.#mounts.pid}/comm`, 'utf8')) === 'sleep\n', 120_000);
  }

  #answers(): Promise<boolean> {
    return this.api('GET', '/_ping').then(
      () => true,
      () => false,
    );
  }

  async #emptyConfig(): Promise<string> {
    const file = join(this.#folder, 'daemon.json');
    await writeFile(file, '{}');
    return file;
  }

  async #import(tarball: string): Promise<void> {
    const [, tag] = BASE.split(':');
    const sent = request({
      socketPath: this.socket,
      method: 'POST',
      path: `/images/create?fromSrc=-&repo=${BASE.split(':')[0]}&tag=${tag}`,
      headers: { Host: 'docker', 'Content-Type': 'application/x-tar' },
    });
    createReadStream(tarball).pipe(sent);
    const [response] = await once(sent, 'response');
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    if (response.statusCode !== 200 || /"error"/.test(text)) throw new Error(`the base image could not be imported: ${text}`);
  }

  /** What is left of an engine that was killed: its containerd and shims, whose containers end with them. */
  async #processes(): Promise<number[]> {
    const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 1 && pid !== process.pid);
    const found = await Promise.all(
      pids.map(async (pid) => {
        const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        return /dockerd|containerd/.test(command.split('\0', 1)[0] ?? '') && command.includes(`${this.#folder}/`);
      }),
    );
    return pids.filter((_, index) => found[index]);
  }

  /** The engine leaves its chains and the kernel's forwarding behind, for its next start; another one on this machine may still need them. */
  async #clearNetwork(): Promise<void> {
    const others = await Promise.all(
      (await readdir('/proc')).map((pid) =>
        readFile(`/proc/${pid}/comm`, 'utf8').then(
          (name) => name === 'dockerd\n',
          () => false,
        ),
      ),
    );
    if (others.includes(true)) return;
    for (const table of ['filter', 'nat']) {
      const { stdout } = await run('iptables-save', ['-t', table], { env: { PATH } });
      const rules = stdout.split('\n').filter((line) => line.startsWith('-A ') && / (-j|-g) DOCKER/.test(line));
      for (const rule of rules) await iptables(table, ['-D', ...rule.slice(3).split(' ')]);
      for (const flag of ['-F', '-X']) for (const chain of CHAINS) if (stdout.includes(`:${chain} `)) await iptables(table, [flag, chain]);
      if (table === 'filter') await iptables(table, ['-P', 'FORWARD', 'ACCEPT']);
    }
    await writeFile('/proc/sys/net/ipv4/ip_forward', this.#forwarding);
  }
}

/** A platform whose functions run in that engine's containers. */
export function hearthOn(
  docker: Docker,
  settings: Record<string, string> = {},
  options: { requirements?: string; dataFolder?: string } = {},
): Promise<Hearth> {
  return Hearth.start({ ...options, settings: { ...docker.settings, ...settings } });
}

async function iptables(table: string, argv: string[]): Promise<void> {
  await run('iptables', ['-w', '-t', table, ...argv], { env: { PATH } }).catch(() => undefined);
}

/** A tar of Debian with Python, made once for a recipe and kept in the checkout's cache. */
async function baseImage(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8');
  const name = createHash('sha256').update(RECIPE).update(release).digest('hex').slice(0, 12);
  const file = join(CACHE, `docker-base-${name}.tar`);
  if (existsSync(file)) return file;
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(tmpdir(), 'hearth-docker-base-'));
  try {
    await run('sh', ['-c', RECIPE, 'sh', folder], { env: { PATH } });
    const partial = `${file}.${process.pid}`;
    await run('tar', ['-C', join(folder, 'root'), '-cf', partial, '.'], { env: { PATH } });
    await rename(partial, file);
    return file;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
