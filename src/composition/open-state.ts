import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { DurableQueue } from '../queue/durable-queue.ts';
import { openSqliteQueue } from '../queue/sqlite/open-sqlite-queue.ts';
import { openSqliteStore } from '../store/sqlite/open-sqlite-store.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Cluster } from './open-cluster.ts';

/** Where the platform keeps what it must not forget. */
export interface State {
  store: Store;
  /** Begins to open the queue. Whoever opens it closes it. @throws HearthError store_unavailable */
  openQueue(): Promise<DurableQueue>;
  /** What is shared with other nodes; null: this platform has its state to itself. */
  cluster: Cluster | null;
  /** Closes the store, and what the nodes share; the queue before that. */
  close(): Promise<void>;
}

/** Of one platform in files of `data_dir`; of many in their PostgreSQL, once `database.url` names one. @throws HearthError store_unavailable, invalid_config */
export async function openState(config: Config, log: Logger): Promise<State> {
  if (config.database.url !== '') {
    // Read when it is needed: the start of a platform that is alone is no slower for it.
    const { openCluster } = await import('./open-cluster.ts');
    const cluster = await openCluster(config, log);
    return { store: cluster.store, openQueue: () => cluster.openQueue(), cluster, close: () => cluster.close() };
  }
  const store = await openSqliteStore({ file: join(config.data_dir, 'hearth.db'), log });
  return {
    store,
    openQueue: () => openSqliteQueue({ file: join(config.data_dir, 'queue.db'), log }),
    cluster: null,
    close: () => store.close(),
  };
}
