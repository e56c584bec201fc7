import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './hearth.ts';

/** A proxy of deploy/ in front of gateways, on a port of its own. Dispose of it with `await using`. */
export class FrontProxy {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** @param sample its file in deploy/ @param gateways in place of the sample's own addresses, in their order */
  static async start(sample: string, gateways: readonly string[]): Promise<FrontProxy> {
    const kind = sample.endsWith('.cfg') ? 'haproxy' : 'nginx';
    const folder = await mkdtemp(join(tmpdir(), `hearth-${kind}-`));
    const port = await freePort();
    const file = join(folder, 'config');
    const original = await readFile(new URL(`../../deploy/${sample}`, import.meta.url), 'utf8');
    const addresses = original.match(/\b(?:\d+\.){3}\d+:5000\b/g) ?? [];
    if (addresses.length !== gateways.length) throw new Error(`${sample} names ${addresses.length} gateways`);
    const text = addresses
      .reduce((written, address, index) => written.replace(address, new URL(gateways[index] as string).host), original)
      .replace('listen 80;', `listen 127.0.0.1:${port};`)
      .replace('bind 127.0.0.1:80', `bind 127.0.0.1:${port}`);
    const own = `pid ${folder}/pid;\ndaemon off;\nerror_log ${folder}/error.log;\n`;
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
    await writeFile(file, kind === 'nginx' ? own + text.replace('http {', `http { ${temporary}`) : text);
    const path = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    const child = spawn(kind, kind === 'nginx' ? ['-p', folder, '-c', file] : ['-db', '-f', file], {
      env: path,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
    failed.catch(() => undefined);
    await Promise.race([
      failed,
      until(() => {
        if (child.exitCode !== null) throw new Error(`${kind} did not start: ${output}`);
        return answers(port);
      }),
    ]);
    return new FrontProxy(`http://127.0.0.1:${port}`, child, folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGTERM');
      await once(this.#child, 'exit');
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
  }).then((open) => {
    socket.destroy();
    return open as boolean;
  });
}
