import type { Bundles } from '../bundles/bundles.ts';
import type { Config } from '../config.ts';
import type { OutputLog } from '../logs/output-log.ts';
import type { DurableQueue } from '../queue/durable-queue.ts';
import type { Store } from '../store/store.ts';
import type { Logger } from '../telemetry/log.ts';
import type { Cluster } from './open-cluster.ts';

const INTERVAL_MS = 3600_000;
/** Bundles that are uploaded and that no function names yet. */
const KEEP_UPLOADS_MS = 3600_000;

export interface Prunable {
  config: Config;
  store: Store;
  queue: DurableQueue;
  bundles: Bundles;
  output: OutputLog;
  cluster: Cluster | null;
  log: Logger;
}

/** Deletes what is old, now and each hour. @returns what ends it */
export function pruneHourly({ config, store, queue, bundles, output, cluster, log }: Prunable): () => void {
  const attempt = (work: Promise<unknown>, failed: string) => work.catch((error: unknown) => log.warn({ err: error }, failed));
  const prune = () => {
    const recordsBefore = Date.now() - config.records.keep_ms;
    attempt(
      queue.prune(queue.now() - config.records.keep_ms, queue.now() - config.queue.keep_dead_letters_ms),
      'old asynchronous invocations could not be deleted',
    );
    attempt(store.pruneFirings(recordsBefore), 'old firings of schedules could not be deleted');
    attempt(bundles.sweep(store.namedBundles, KEEP_UPLOADS_MS), 'bundles that nobody names could not be deleted');
    if (cluster)
      attempt(cluster.bundles.prune(store.namedBundles, KEEP_UPLOADS_MS), 'bundles that nobody names could not be deleted from the database');
    attempt(output.prune(), 'old lines that functions printed could not be deleted');
    attempt(store.pruneRecords(recordsBefore), 'old records could not be deleted');
    attempt(store.pruneAudit(Date.now() - config.api.audit_keep_ms), 'old entries of the audit log could not be deleted');
  };
  const timer = setInterval(prune, INTERVAL_MS);
  prune();
  return () => clearInterval(timer);
}
