import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.ts';
import { CACHE } from './folders.ts';
import { runCommand } from './run-command.ts';

const FOLDER = `${CACHE}docker`;
const IMAGE = 'hearth-bench:bookworm-python3-pika';
const SUITE = 'bookworm';

/**
 * A Docker daemon of the bench's own, with no bridge and no rules in the firewall, so that the host's network stays as it is. Its image is made on this machine
 * (debootstrap, then `docker import`), since there may be no registry to pull one from, and is kept in the cache.
 */
export class Docker implements AsyncDisposable {
  readonly #daemon: Child;
  readonly #folder: string;
  readonly version: string;
  /** Name of its image. */
  readonly image = IMAGE;

  private constructor(daemon: Child, folder: string, version: string) {
    this.#daemon = daemon;
    this.#folder = folder;
    this.version = version;
  }

  /** @throws Error that says why there can be no Docker here */
  static async start(say: (text: string) => void): Promise<Docker> {
    if (process.getuid?.() !== 0) throw new Error('a Docker daemon of our own takes root');
    await mkdir(FOLDER, { recursive: true });
    const folder = await mkdtemp(join(tmpdir(), 'hearth-bench-docker-'));
    const at = (name: string): string => join(folder, name);
    const flags = ['--data-root', `${FOLDER}/data`, '--exec-root', at('exec'), '--pidfile', at('pid'), '-H', `unix://${at('socket')}`];
    const network = ['--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false', '--bridge=none'];
    // In a mount namespace of its own: other engines on the machine and this one must not unmount what is the other's.
    const apart = ['--mount', '--propagation', 'private', '--', 'dockerd'];
    const daemon = new Child('unshare', [...apart, ...flags, ...network, '--log-level', 'fatal'], { stdio: 'ignore' });
    const failed = new Promise<never>((_, reject) => daemon.process.once('error', reject));
    failed.catch(() => undefined);
    try {
      await Promise.race([failed, untilReady(daemon, at('socket'))]);
      const docker = new Docker(daemon, folder, (await command(folder, ['version', '--format', '{{.Server.Version}}'])).trim());
      await docker.#prepareImage(say);
      return docker;
    } catch (error) {
      await stop(daemon, folder);
      throw error;
    }
  }

  /** Path of its unix socket. */
  get socket(): string {
    return join(this.#folder, 'socket');
  }

  /**
   * `docker run --rm` in a fresh container, on the host's network unless the options name another: it is the quickest that Docker has. Resolves when the command has ended.
   * @throws Error with what it wrote when its exit code isn't 0
   */
  async run(options: readonly string[], argv: readonly string[]): Promise<void> {
    const network = options.includes('--network') ? [] : ['--network', 'host'];
    await command(this.#folder, ['run', '--rm', ...network, ...options, IMAGE, ...argv]);
  }

  /** A container that stays until it is disposed of, and the process id of its shim, the parent of its first process. */
  async runDetached(argv: readonly string[]): Promise<{ shim: number } & AsyncDisposable> {
    const folder = this.#folder;
    const id = (await command(folder, ['run', '--detach', '--rm', '--network', 'host', IMAGE, ...argv])).trim();
    const remove = async (): Promise<void> => {
      await command(folder, ['kill', '--signal', 'KILL', id]);
      // --rm removes it, a moment later; the daemon must not end before.
      await command(folder, ['wait', id]).catch(() => '');
    };
    const pid = (await command(folder, ['inspect', '--format', '{{.State.Pid}}', id])).trim();
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return { shim: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]), [Symbol.asyncDispose]: remove };
  }

  async #prepareImage(say: (text: string) => void): Promise<void> {
    if ((await command(this.#folder, ['image', 'ls', '--quiet', IMAGE])).trim() !== '') return;
    say('making the container image by debootstrap (once)');
    const root = join(FOLDER, 'root');
    const archive = join(FOLDER, 'root.tar');
    await rm(root, { recursive: true, force: true });
    try {
      await runCommand('debootstrap', ['--variant=minbase', '--include=python3', SUITE, root]);
      await runCommand('/usr/bin/python3', [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--target',
        join(root, 'usr/lib/python3/dist-packages'),
        'pika>=1.3,<2',
      ]);
      await runCommand('tar', ['-C', root, '-cf', archive, '.']);
      await command(this.#folder, ['import', archive, IMAGE]);
    } finally {
      await rm(root, { recursive: true, force: true });
      await rm(archive, { force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await command(this.#folder, ['network', 'prune', '--force']);
    await stop(this.#daemon, this.#folder);
  }
}

function command(folder: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env.PATH, HOME: folder };
    execFile('docker', ['-H', `unix://${join(folder, 'socket')}`, ...args], { env, timeout: 300_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`docker ${args[0]} failed: ${stderr.trim() || error.message}`));
      else resolve(stdout);
    });
  });
}

async function untilReady(daemon: Child, socket: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!existsSync(socket)) {
    if (!daemon.running || Date.now() > deadline) throw new Error('dockerd did not start; run it by hand to see why');
    await sleep(100);
  }
}

/** Containers are gone by then, and mounts go with the namespace that they are in. */
async function stop(daemon: Child, folder: string): Promise<void> {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
}
