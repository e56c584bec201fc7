import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../support/hearth.ts';

/** A proxy of deploy/ in front of a gateway, on a port of its own. Dispose of it with `await using`. */
export class FrontProxy {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(kind: 'nginx' | 'haproxy', gateway: string): Promise<FrontProxy> {
    const folder = await mkdtemp(join(tmpdir(), `hearth-${kind}-`));
    const port = await freePort();
    const file = join(folder, 'config');
    const sample = await readFile(new URL(`../../../deploy/${kind === 'nginx' ? 'nginx.conf' : 'haproxy.cfg'}`, import.meta.url), 'utf8');
    const text = sample
      .replaceAll('127.0.0.1:5000', new URL(gateway).host)
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
