import { execFile } from 'node:child_process';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BackgroundServer, freePort, UNPRIVILEGED } from './background-server.ts';

/** Debian keeps the programs of each release apart. */
const RELEASES = '/usr/lib/postgresql';

/** A PostgreSQL of the test's own on loopback, in a temporary folder: user and database `postgres`, no password. Dispose of it with `await using`. */
export class Postgres {
  readonly port: number;
  readonly #folder: string;
  readonly #server: BackgroundServer;

  private constructor(port: number, folder: string, server: BackgroundServer) {
    this.port = port;
    this.#folder = folder;
    this.#server = server;
  }

  static async start(): Promise<Postgres> {
    const release = (await readdir(RELEASES)).map(Number).sort((a, b) => b - a)[0];
    const programs = join(RELEASES, String(release), 'bin');
    const folder = await mkdtemp(join(tmpdir(), 'hearth-postgres-'));
    if (UNPRIVILEGED.uid !== undefined) await chown(folder, UNPRIVILEGED.uid, UNPRIVILEGED.gid);
    const data = join(folder, 'data');
    const init = ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '--locale=C.UTF-8', '--encoding=UTF8'];
    await promisify(execFile)(join(programs, 'initdb'), init, { cwd: '/', ...UNPRIVILEGED });
    const port = await freePort();
    const settings = ['-c', 'listen_addresses=127.0.0.1', '-c', `port=${port}`, '-c', `unix_socket_directories=${folder}`, '-c', 'fsync=off'];
    const server = new BackgroundServer(join(programs, 'postgres'), ['-D', data, ...settings], '/');
    await server.printed('database system is ready to accept connections');
    return new Postgres(port, folder, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Its word for: at once, without waiting for clients.
    await this.#server.stop('SIGINT');
    await rm(this.#folder, { recursive: true, force: true });
  }
}
