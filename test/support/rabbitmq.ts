import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { sleep } from './hearth.ts';

/** Debian's own wrapper on PATH would change to the user rabbitmq. */
const SCRIPTS = '/usr/lib/rabbitmq/bin';
const USER = 'tester';
const PASSWORD = 'p@ss/word-of-the-broker';

/** A RabbitMQ node of the test's own on loopback, with everything of it in a temporary folder. Dispose of it with `await using`. */
export class RabbitMq {
  readonly port: number;
  readonly #folder: string;
  readonly #environment: Record<string, string>;
  readonly #epmd: ChildProcess;
  #node: ChildProcess | null = null;
  #output = '';

  private constructor(port: number, folder: string, environment: Record<string, string>, epmd: ChildProcess) {
    this.port = port;
    this.#folder = folder;
    this.#environment = environment;
    this.#epmd = epmd;
  }

  static async start(): Promise<RabbitMq> {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-rabbitmq-'));
    const [port, epmdPort, distributionPort] = await freePorts(3);
    await mkdir(join(folder, 'home'));
    await writeFile(
      join(folder, 'rabbitmq.conf'),
      `listeners.tcp.1 = 127.0.0.1:${port}\ndefault_user = ${USER}\ndefault_pass = ${PASSWORD}\nlog.console = true\nlog.file = false\n`,
    );
    await writeFile(join(folder, 'plugins'), '[].\n');
    const environment = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
      HOME: join(folder, 'home'),
      RABBITMQ_NODENAME: `hearth-${process.pid}-${port}@localhost`,
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
      RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
      RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      RABBITMQ_PID_FILE: join(folder, 'pid'),
      RABBITMQ_DIST_PORT: String(distributionPort),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none',
      ERL_EPMD_ADDRESS: '127.0.0.1',
      ERL_EPMD_PORT: String(epmdPort),
    };
    // Else the node would start one that outlives it.
    const epmd = spawn('epmd', { stdio: 'ignore', env: environment });
    const broker = new RabbitMq(port as number, folder, environment, epmd);
    try {
      await broker.startNode();
      return broker;
    } catch (error) {
      await broker[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return `amqp://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.port}`;
  }

  /** As of a cluster whose other nodes are away. */
  get urlAmongDead(): string {
    return [...[1, 2, 3].map((port) => this.url.replace(`:${this.port}`, `:${port}`)), this.url].join(',');
  }

  /** What must be in no log, in both of its forms. */
  get passwords(): string[] {
    return [PASSWORD, encodeURIComponent(PASSWORD)];
  }

  /** Resolves once it takes connections; what was persistent is there again. */
  async startNode(): Promise<void> {
    const node = spawn(join(SCRIPTS, 'rabbitmq-server'), { stdio: ['ignore', 'pipe', 'pipe'], env: this.#environment, detached: true });
    this.#node = node;
    this.#output = '';
    for (const stream of [node.stdout, node.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    const deadline = Date.now() + 120_000;
    for (;;) {
      const connection = await connect(this.url).catch(() => null);
      if (connection) return connection.close();
      if (node.exitCode !== null || Date.now() > deadline) throw new Error(`RabbitMQ did not start (exit code ${node.exitCode}):\n${this.#output}`);
      await sleep(100);
    }
  }

  /** At once, as by a power cut. */
  async kill(): Promise<void> {
    const node = this.#node;
    this.#node = null;
    if (node?.pid === undefined || node.exitCode !== null || node.signalCode !== null) return;
    const ended = once(node, 'exit');
    process.kill(-node.pid, 'SIGKILL');
    await ended;
    // The script has ended; the node itself may take a moment, in which its name and port are still taken.
    while (isThere(-node.pid)) await sleep(10);
  }

  /** Runs a command of rabbitmqctl. @returns what it printed */
  async control(...command: string[]): Promise<string> {
    return (await promisify(execFile)(join(SCRIPTS, 'rabbitmqctl'), command, { env: this.#environment })).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    if (this.#epmd.exitCode === null && this.#epmd.kill('SIGKILL')) await once(this.#epmd, 'exit');
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  for (const server of servers) server.close();
  return ports;
}
