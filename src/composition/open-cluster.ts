import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { openAdvisoryLeadership } from '../cluster/advisory-leadership.ts';
import { openClusterFacts } from '../cluster/cluster-facts.ts';
import { FollowChanges, type Refreshers } from '../cluster/follow-changes.ts';
import { type NodeIdentity, openNodeIdentity } from '../cluster/node-identity.ts';
import type { NodeBook, NodeMeasure } from '../cluster/nodes/node-book.ts';
import { openPostgresNodes } from '../cluster/nodes/postgres-nodes.ts';
import type { Config } from '../config.ts';
import { HearthError } from '../errors.ts';
import { openPostgres } from '../postgres/open-postgres.ts';
import type { DurableQueue } from '../queue/durable-queue.ts';
import { openPostgresQueue } from '../queue/postgres/open-postgres-queue.ts';
import { createTickets } from '../queue/tickets/create-tickets.ts';
import type { Tickets } from '../queue/tickets/tickets.ts';
import type { Leadership } from '../schedules/leadership.ts';
import type { KeySharing } from '../secrets/vault.ts';
import { openBundleBlobs, type SharedBundles } from '../store/postgres/bundle-blobs.ts';
import { openChangeFeed } from '../store/postgres/change-feed.ts';
import { openPostgresStore } from '../store/postgres/open-postgres-store.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../telemetry/log.ts';
import { brokerCa, brokerHeartbeat } from './broker.ts';
import { readVersion } from './files.ts';
import { reachDatabase } from './reach-database.ts';

/** What one node has of what all share. */
export interface Cluster {
  node: NodeIdentity;
  /** The same on all nodes of one database. */
  clusterId: string;
  store: Store;
  bundles: SharedBundles;
  keys: KeySharing;
  leadership: Leadership;
  /** This node is in it, as one that starts. */
  nodes: NodeBook;
  /** What this node tells of itself from now on. */
  measureBy(measure: () => NodeMeasure): void;
  openQueue(): Promise<DurableQueue>;
  /** From now on what other nodes change is taken over, and first what they have changed since the start. */
  follow(refreshers: Refreshers): void;
  close(): Promise<void>;
}

const NOTHING: NodeMeasure = { cores: 0, memoryBytes: 0, maxInstances: 0, heldBytes: 0, instances: 0, running: 0, waiting: 0, functions: 0 };

/** @throws HearthError invalid_config; store_unavailable when the database has not answered for a minute */
export async function openCluster(config: Config, log: Logger): Promise<Cluster> {
  requireKey(config);
  const node = await openNodeIdentity(config.data_dir, config.node.name);
  await using undo = new AsyncDisposableStack();
  const db = openPostgres({ url: config.database.url, maxConnections: config.database.max_connections, log });
  undo.defer(() => db.close());
  await reachDatabase(db, log);
  const { clusterId, agree } = await openClusterFacts(db);

  let measure = () => NOTHING;
  const label = { ...node, version: await readVersion() };
  // Among the others before anything is written: what a node writes that is not there is closed by them.
  const nodes = await openPostgresNodes({ db, label, measure: () => measure(), log });
  await nodes.start();
  undo.defer(() => nodes.close());

  const bundles = await openBundleBlobs(db);
  const store = await openPostgresStore({ db, node });
  undo.defer(() => store.close());
  nodes.onGone((ids) => {
    const closing = store.closeOpenRecords('the node that it was on is gone', Date.now(), ids);
    closing.catch((error: unknown) => log.warn({ err: error, nodes: ids }, 'records that a node left open could not be closed'));
  });

  // Before anything is read: what changes after the reading is told.
  const follow = new FollowChanges({ log });
  undo.defer(() => follow.close());
  const feed = openChangeFeed({ db, node, log });
  undo.defer(() => feed.close());
  await feed.start(follow.tell);
  log.info({ node: node.id, name: node.name, database: db.shown }, 'this platform is a node of a cluster');

  const parts = undo.move();
  return {
    node,
    clusterId,
    store,
    bundles,
    keys: { agree },
    leadership: openAdvisoryLeadership({ db, log }),
    nodes,
    measureBy: (own) => {
      measure = own;
    },
    openQueue: () => openPostgresQueue({ db, node: node.id, tickets: ticketsOf(config, clusterId, log), log }),
    follow: (refreshers) => follow.connect(refreshers),
    close: () => parts.disposeAsync(),
  };
}

/** By what work is handed out; null: by the database itself. @throws HearthError invalid_config */
function ticketsOf(config: Config, clusterId: string, log: Logger): Tickets | null {
  const { url } = config.amqp;
  if (url === '') return null;
  return createTickets({ url, prefix: `hearth.${clusterId}`, ca: brokerCa(config), ...brokerHeartbeat(config), random: Math.random, log });
}

/** A key that a node makes by itself is no other's. @throws HearthError invalid_config */
function requireKey({ secrets }: Config): void {
  if (secrets.key !== '' || (secrets.key_file !== '' && existsSync(resolve(secrets.key_file)))) return;
  throw new HearthError(
    'invalid_config',
    'Nodes that share a database (database.url) need the same key of secrets: set HEARTH_SECRETS_KEY on each to what `openssl rand -base64 32` prints once, or HEARTH_SECRETS_KEY_FILE to a file with it. docs/cluster.md says more.',
  );
}
