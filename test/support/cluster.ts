import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hearth } from './hearth.ts';
import { Postgres } from './postgres.ts';
import { RabbitMqCluster } from './rabbitmq.ts';
import { TcpProxy } from './tcp-proxy.ts';

/** The same on all nodes of a cluster. */
const SECRETS_KEY = Buffer.alloc(32, 7).toString('base64');

/** A node's ways to the database and to each broker, which a test can cut. */
interface Ways {
  database: TcpProxy;
  brokers: readonly TcpProxy[];
}

/** One platform of a cluster, which may be ended and started again with what it has on its disk. */
export class ClusterNode {
  readonly name: string;
  readonly #ways: Ways;
  readonly #dataFolder: string;
  readonly #settings: Record<string, string>;
  #hearth: Hearth | null = null;

  constructor(name: string, ways: Ways, dataFolder: string, settings: Record<string, string>) {
    this.name = name;
    this.#ways = ways;
    this.#dataFolder = dataFolder;
    this.#settings = settings;
  }

  async start(): Promise<void> {
    this.#hearth = await Hearth.start({ dataFolder: this.#dataFolder, settings: this.#settings });
  }

  get hearth(): Hearth {
    if (!this.#hearth) throw new Error(`${this.name} is not up`);
    return this.#hearth;
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    const hearth = this.#hearth;
    this.#hearth = null;
    await hearth?.stop(signal);
  }

  /** Nothing gets through between it and database and brokers, and nobody is told; its callers still reach it. */
  cutOff(): void {
    for (const proxy of this.#proxies()) proxy.swallow();
  }

  /** The network is there again; connections from before are not. */
  heal(): void {
    for (const proxy of this.#proxies()) proxy.heal();
  }

  #proxies(): TcpProxy[] {
    return [this.#ways.database, ...this.#ways.brokers];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hearth?.[Symbol.asyncDispose]();
    await Promise.all(this.#proxies().map((proxy) => proxy[Symbol.asyncDispose]()));
    await rm(this.#dataFolder, { recursive: true, force: true });
  }
}

export interface ClusterOptions {
  nodes: number;
  brokers: number;
  /** HEARTH_… settings of every node. */
  settings?: Record<string, string>;
}

/** Several platforms on one PostgreSQL and one RabbitMQ cluster, all on loopback. Dispose of it with `await using`. */
export class Cluster {
  readonly postgres: Postgres;
  readonly rabbitmq: RabbitMqCluster;
  readonly nodes: readonly ClusterNode[];
  readonly #cleanUp: AsyncDisposableStack;

  private constructor(postgres: Postgres, rabbitmq: RabbitMqCluster, nodes: readonly ClusterNode[], cleanUp: AsyncDisposableStack) {
    this.postgres = postgres;
    this.rabbitmq = rabbitmq;
    this.nodes = nodes;
    this.#cleanUp = cleanUp;
  }

  static async start({ nodes, brokers, settings = {} }: ClusterOptions): Promise<Cluster> {
    await using cleanUp = new AsyncDisposableStack();
    const [postgres, rabbitmq] = await Promise.all([Postgres.start(), RabbitMqCluster.start(brokers)]);
    cleanUp.use(postgres);
    cleanUp.use(rabbitmq);
    const made: ClusterNode[] = [];
    for (let index = 0; index < nodes; index++) {
      const name = `node-${index + 1}`;
      const ways: Ways = {
        database: await TcpProxy.start(postgres.port),
        brokers: await Promise.all(rabbitmq.nodes.map(({ port }) => TcpProxy.start(port))),
      };
      const node = new ClusterNode(name, ways, await mkdtemp(join(tmpdir(), `hearth-${name}-`)), {
        HEARTH_NODE_NAME: name,
        HEARTH_DATABASE_URL: withPort(postgres.url, ways.database.port),
        HEARTH_AMQP_URL: rabbitmq.nodes.map(({ url }, broker) => withPort(url, (ways.brokers[broker] as TcpProxy).port)).join(','),
        HEARTH_SECRETS_KEY: SECRETS_KEY,
        ...settings,
      });
      cleanUp.use(node);
      // One after another, as they share two cores with everything else.
      await node.start();
      made.push(node);
    }
    return new Cluster(postgres, rabbitmq, made, cleanUp.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanUp.disposeAsync();
  }
}

function withPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}
