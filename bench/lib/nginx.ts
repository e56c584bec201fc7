import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child, listening } from './child.ts';
import { freePort } from './free-port.ts';

/** nginx in front of a server on a loopback port: one worker process, kept connections, no access log. */
export class Nginx implements AsyncDisposable {
  readonly #child: Child;
  readonly #folder: string;
  readonly url: string;
  readonly version: string;

  private constructor(child: Child, folder: string, port: number, version: string) {
    this.#child = child;
    this.#folder = folder;
    this.url = `http://127.0.0.1:${port}/`;
    this.version = version;
  }

  /** Null when nginx isn't installed. */
  static async start(upstream: string): Promise<Nginx | null> {
    const version = nginxVersion();
    if (version === null) return null;
    const folder = await mkdtemp(join(tmpdir(), 'hearth-bench-nginx-'));
    const port = await freePort();
    await mkdir(join(folder, 'logs'));
    await writeFile(join(folder, 'nginx.conf'), configuration(new URL(upstream).host, port));
    const child = new Child('nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'logs/error.log']);
    const nginx = new Nginx(child, folder, port, version);
    try {
      await listening(child, port);
      return nginx;
    } catch (error) {
      await nginx[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Bodies stay in memory; connections to the server behind are kept, which nginx doesn't do by itself. */
function configuration(upstream: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `  ${name}_temp_path logs/${name};`);
  return `worker_processes 1;
daemon off;
pid logs/pid;
events { worker_connections 1024; }
http {
${temporary.join('\n')}
  access_log off;
  keepalive_requests 1000000000;
  upstream app { server ${upstream}; keepalive 64; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`;
}

function nginxVersion(): string | null {
  // It says so on standard error.
  const { error, stderr } = spawnSync('nginx', ['-v'], { encoding: 'utf8' });
  return error ? null : (/nginx\/(\S+)/.exec(stderr)?.[1] ?? 'of unknown version');
}
