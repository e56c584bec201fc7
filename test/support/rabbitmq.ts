import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import { sleep } from './hearth.ts';
import { linkCode } from './rabbitmq-code.ts';

/** Debian's own wrapper on PATH would change to the user rabbitmq. */
const SCRIPTS = '/usr/lib/rabbitmq/bin';
const execFileOf = promisify(execFile);
const USER = 'tester';
const PASSWORD = 'p@ss/word-of-the-broker';

/** A RabbitMQ node of the test's own on loopback, with everything of it in a temporary folder. Dispose of it with `await using`. */
export class RabbitMq {
  readonly #node: RabbitMqNode;
  readonly #grounds: Grounds;

  private constructor(node: RabbitMqNode, grounds: Grounds) {
    this.#node = node;
    this.#grounds = grounds;
  }

  static async start(): Promise<RabbitMq> {
    const grounds = await Grounds.prepare();
    try {
      const [port = 0, distributionPort = 0] = await freePorts(2);
      const node = await RabbitMqNode.prepare(grounds, { name: `hearth-${process.pid}-${port}@localhost`, port, distributionPort, settings: '' });
      const broker = new RabbitMq(node, grounds);
      await broker.startNode();
      return broker;
    } catch (error) {
      await grounds.end();
      throw error;
    }
  }

  get port(): number {
    return this.#node.port;
  }

  get url(): string {
    return this.#node.url;
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
  startNode(): Promise<void> {
    return this.#node.start();
  }

  /** At once, as by a power cut. */
  kill(): Promise<void> {
    return this.#node.kill();
  }

  /** Runs a command of rabbitmqctl. @returns what it printed */
  control(...command: string[]): Promise<string> {
    return this.#node.control(...command);
  }

  /** Names of its queues. */
  queues(): Promise<string[]> {
    return this.#node.queues();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#grounds.end();
  }
}

/** Nodes that find one another, on loopback. Dispose of it with `await using`. */
export class RabbitMqCluster {
  readonly nodes: readonly RabbitMqNode[];
  readonly #grounds: Grounds;

  private constructor(nodes: readonly RabbitMqNode[], grounds: Grounds) {
    this.nodes = nodes;
    this.#grounds = grounds;
  }

  static async start(size: number): Promise<RabbitMqCluster> {
    const grounds = await Grounds.prepare();
    const cluster = new RabbitMqCluster(await nodesOf(size, grounds), grounds);
    try {
      await Promise.all(cluster.nodes.map((node) => node.start()));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Of all nodes, with commas between them. */
  get url(): string {
    return this.nodes.map(({ url }) => url).join(',');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await this.#grounds.end();
  }
}

async function nodesOf(size: number, grounds: Grounds): Promise<RabbitMqNode[]> {
  const ports = await freePorts(2 * size);
  const names = Array.from({ length: size }, (_, index) => `hearth-${process.pid}-${ports[2 * index]}@localhost`);
  const peers = names.map((name, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${name}\n`).join('');
  // Nodes that start at once wait for one another by chance: the default is up to a minute.
  const settings = `cluster_formation.peer_discovery_backend = classic_config\n${peers}cluster_formation.internal_lock_retries = 60\n`;
  return Promise.all(
    names.map((name, index) =>
      RabbitMqNode.prepare(grounds, { name, port: ports[2 * index] as number, distributionPort: ports[2 * index + 1] as number, settings }),
    ),
  );
}

interface NodeParts {
  name: string;
  port: number;
  distributionPort: number;
  /** More lines of its configuration. */
  settings: string;
}

/** One node, which may be killed and started again. */
export class RabbitMqNode {
  readonly name: string;
  readonly port: number;
  readonly #environment: Record<string, string>;
  #process: ChildProcess | null = null;
  #output = '';

  private constructor({ name, port }: NodeParts, environment: Record<string, string>) {
    this.name = name;
    this.port = port;
    this.#environment = environment;
  }

  static async prepare({ folder, environment }: Grounds, parts: NodeParts): Promise<RabbitMqNode> {
    const own = join(folder, String(parts.port));
    await mkdir(own);
    await writeFile(
      join(own, 'rabbitmq.conf'),
      `listeners.tcp.1 = 127.0.0.1:${parts.port}\ndefault_user = ${USER}\ndefault_pass = ${PASSWORD}\nlog.console = true\nlog.file = false\n${parts.settings}`,
    );
    await writeFile(join(own, 'plugins'), '[].\n');
    return new RabbitMqNode(parts, {
      ...environment,
      RABBITMQ_NODENAME: parts.name,
      RABBITMQ_CONFIG_FILE: join(own, 'rabbitmq'),
      RABBITMQ_CONF_ENV_FILE: join(own, 'none'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(own, 'plugins'),
      RABBITMQ_MNESIA_BASE: join(own, 'mnesia'),
      RABBITMQ_LOG_BASE: join(own, 'log'),
      RABBITMQ_PID_FILE: join(own, 'pid'),
      RABBITMQ_DIST_PORT: String(parts.distributionPort),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none',
    });
  }

  get url(): string {
    return `amqp://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.port}`;
  }

  /** Resolves once it takes connections; what was persistent is there again. */
  async start(): Promise<void> {
    const node = spawn(join(SCRIPTS, 'rabbitmq-server'), { stdio: ['ignore', 'pipe', 'pipe'], env: this.#environment, detached: true });
    this.#process = node;
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
    const node = this.#process;
    this.#process = null;
    if (node?.pid === undefined || node.exitCode !== null || node.signalCode !== null) return;
    const ended = once(node, 'exit');
    process.kill(-node.pid, 'SIGKILL');
    await ended;
    // The script has ended; the node itself may take a moment, in which its name and port are still taken.
    while (isThere(-node.pid)) await sleep(10);
  }

  /** Runs a command of rabbitmqctl. @returns what it printed */
  async control(...command: string[]): Promise<string> {
    return (await execFileOf(join(SCRIPTS, 'rabbitmqctl'), command, { env: this.#environment })).stdout;
  }

  /** Names of the queues; asked as rabbitmqctl does, which would take a second of a core for it. */
  async queues(): Promise<string[]> {
    const cookie = await readFile(join(this.#environment.HOME as string, '.erlang.cookie'), 'utf8');
    const asked = execFileOf('erl_call', ['-sname', this.#environment.RABBITMQ_NODENAME as string, '-c', cookie, '-e'], { env: this.#environment });
    asked.child.stdin?.end('[binary_to_list(element(4, Name)) || Name <- rabbit_amqqueue:list_names(<<"/">>)].\n');
    const { stdout } = await asked;
    const list = /^\{ok, (\[.*\])\}\s*$/s.exec(stdout)?.[1];
    if (list === undefined) throw new Error(`RabbitMQ did not tell its queues: ${stdout}`);
    return JSON.parse(list) as string[];
  }
}

/** What nodes of one test share: a folder, a cookie, and the program that knows their ports. */
class Grounds {
  readonly folder: string;
  readonly environment: Record<string, string>;
  readonly #epmd: ChildProcess;

  private constructor(folder: string, environment: Record<string, string>) {
    this.folder = folder;
    this.environment = environment;
    // Else a node would start one that outlives it.
    this.#epmd = spawn('epmd', { stdio: 'ignore', env: environment });
  }

  static async prepare(): Promise<Grounds> {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-rabbitmq-'));
    const [epmdPort] = await freePorts(1);
    const home = join(folder, 'home');
    await mkdir(home);
    await writeFile(join(home, '.erlang.cookie'), `hearth${process.pid}`, { mode: 0o400 });
    const environment = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C.UTF-8',
      HOME: home,
      ...(await linkCode(join(folder, 'code'))),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      ERL_EPMD_PORT: String(epmdPort),
    };
    return new Grounds(folder, environment);
  }

  async end(): Promise<void> {
    if (this.#epmd.exitCode === null && this.#epmd.kill('SIGKILL')) await once(this.#epmd, 'exit');
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
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
