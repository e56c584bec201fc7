import { execFile } from 'node:child_process';
import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { BackgroundServer, freePort, UNPRIVILEGED } from './background-server.ts';
import { sleep } from './hearth.ts';

/** Debian keeps the programs of each release apart. */
const RELEASES = '/usr/lib/postgresql';
const START_TRIES = 50;

/** A PostgreSQL of the test's own on loopback, in a temporary folder: user and database `postgres`, no password. Dispose of it with `await using`. */
export class Postgres {
  readonly port: number;
  readonly #programs: string;
  readonly #folder: string;
  #server: BackgroundServer;
  #databases = 0;

  private constructor(port: number, programs: string, folder: string, server: BackgroundServer) {
    this.port = port;
    this.#programs = programs;
    this.#folder = folder;
    this.#server = server;
  }

  static async start(): Promise<Postgres> {
    const release = (await readdir(RELEASES)).map(Number).sort((a, b) => b - a)[0];
    const programs = join(RELEASES, String(release), 'bin');
    const folder = await mkdtemp(join(tmpdir(), 'hearth-postgres-'));
    if (UNPRIVILEGED.uid !== undefined) await chown(folder, UNPRIVILEGED.uid, UNPRIVILEGED.gid);
    const init = ['-D', join(folder, 'data'), '-U', 'postgres', '--auth=trust', '--no-sync', '--locale=C.UTF-8', '--encoding=UTF8'];
    await promisify(execFile)(join(programs, 'initdb'), init, { cwd: '/', ...UNPRIVILEGED });
    const port = await freePort();
    return new Postgres(port, programs, folder, await startServer(programs, folder, port));
  }

  /** Of the database `postgres`. */
  get url(): string {
    return this.urlOf('postgres');
  }

  urlOf(database: string): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  /** An empty database. @returns its URL */
  async createDatabase(): Promise<string> {
    this.#databases += 1;
    const name = `test_${this.#databases}`;
    const client = new Client(this.url);
    await client.connect();
    await client.query(`CREATE DATABASE ${name}`);
    await client.end();
    return this.urlOf(name);
  }

  /** From now on it takes connections with TLS too, under a certificate for the address 127.0.0.1 that it has signed itself. @returns that certificate's file */
  async takeTls(): Promise<string> {
    const [key, certificate] = [join(this.#folder, 'data/server.key'), join(this.#folder, 'data/server.crt')];
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    const names = ['-subj', '/CN=postgres', '-addext', 'subjectAltName=IP:127.0.0.1'];
    await promisify(execFile)('openssl', [...request, ...names, '-keyout', key, '-out', certificate], { cwd: '/', ...UNPRIVILEGED });
    const client = new Client(this.url);
    await client.connect();
    await client.query('ALTER SYSTEM SET ssl = on');
    await client.query('SELECT pg_reload_conf()');
    await client.end();
    return certificate;
  }

  /** SIGKILL: as when its machine fails. It is gone until `restart`. */
  async kill(): Promise<void> {
    await this.#server.stop('SIGKILL');
  }

  /** Ends it at once, if it is there, and starts it again at the same port. */
  async restart(): Promise<void> {
    await this.#server.stop('SIGINT');
    for (let tries = 1; ; tries += 1) {
      try {
        this.#server = await startServer(this.#programs, this.#folder, this.port);
        return;
      } catch (error) {
        // What a killed one leaves behind ends by itself; until then there is no second one over the same data.
        if (tries === START_TRIES) throw error;
        await sleep(100);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Its word for: at once, without waiting for clients.
    await this.#server.stop('SIGINT');
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function startServer(programs: string, folder: string, port: number): Promise<BackgroundServer> {
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${folder}`, 'fsync=off'];
  const server = new BackgroundServer(
    join(programs, 'postgres'),
    ['-D', join(folder, 'data'), ...settings.flatMap((setting) => ['-c', setting])],
    '/',
  );
  await server.printed('database system is ready to accept connections');
  return server;
}
