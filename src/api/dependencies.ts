import type { FastifyBaseLogger } from 'fastify';
import type { Backups } from '../backup/create-backups.ts';
import type { Bundles } from '../bundles/bundles.ts';
import type { NodeBook } from '../cluster/nodes/node-book.ts';
import type { Layers } from '../layers/layers.ts';
import type { OutputLog } from '../logs/output-log.ts';
import type { DurableInvocations } from '../queue/durable-invocations.ts';
import type { QueueTriggers } from '../queue-triggers/queue-triggers.ts';
import type { ApiKeys } from '../registry/api-keys.ts';
import type { Registry } from '../registry/registry.ts';
import type { Schedules } from '../schedules/schedules.ts';
import type { InstanceRecord, InvocationRecord } from '../schemas/records.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { Store } from '../store/store.ts';
import type { Metrics } from '../telemetry/metrics/create-metrics.ts';
import type { Series } from '../telemetry/series/series.ts';
import type { AccessPolicy } from './access/access-policy.ts';

/** What a client of `POST /functions/trigger` gives; a function's environment gets it verbatim. */
export interface TriggerRequest {
  /** `Name: value` lines. */
  headerLines: string;
  body: string;
  path: string;
  verb: string;
}

export interface TriggerResult {
  /** That of the header lines, or a new one. */
  correlationId: string;
  /** One for each function of the event key. */
  instanceIds: string[];
}

/** What the control plane needs of the platform's other parts. It is never on the way of a request. */
export interface ApiDependencies {
  registry: Registry;
  apiKeys: Pick<ApiKeys, 'list' | 'create' | 'revoke'>;
  /** For reading records and versions, and for who may change them and who did. */
  store: Pick<
    Store,
    | 'versions'
    | 'version'
    | 'invocation'
    | 'invocations'
    | 'instance'
    | 'instances'
    | 'tokens'
    | 'token'
    | 'putToken'
    | 'touchToken'
    | 'deleteToken'
    | 'beginAudit'
    | 'endAudit'
    | 'audit'
    | 'firings'
  >;
  access: AccessPolicy;
  bundles: Pick<Bundles, 'receive' | 'get' | 'archive'>;
  layers: Pick<Layers, 'ensure' | 'list' | 'remove'>;
  secrets: Pick<Secrets, 'put' | 'remove' | 'list' | 'rotateKey'>;
  /**
   * Runs every function of the event key `http|verb|path`. Resolves once each has an instance, not when they are done.
   * @throws HearthError no_function or method_not_allowed when there is none, and whatever keeps an instance from being had
   */
  trigger(request: TriggerRequest): Promise<TriggerResult>;
  /** What goes through the queue. */
  durable: DurableInvocations;
  schedules: Pick<Schedules, 'get' | 'list' | 'preview' | 'setPaused' | 'fireNow'>;
  queues: Pick<QueueTriggers, 'list' | 'get'>;
  /** Of an invocation that somebody waits for, and that is not over: its record as it is now. */
  liveInvocation(id: string): InvocationRecord | undefined;
  /** Ends such a one. @returns whether there was one */
  cancelLive(id: string): boolean;
  /** The platforms that work together, this one among them. */
  nodes: Pick<NodeBook, 'self' | 'list' | 'asOf'>;
  metrics: Metrics;
  series: Series;
  backups: Backups;
  /** Those in memory, newest first. */
  liveInstances(): readonly InstanceRecord[];
  /** What a live instance printed so far, bounded; undefined when there is no live instance of that id. */
  instanceLogs(id: string): string | undefined;
  /** What functions print. */
  output: Pick<OutputLog, 'search' | 'follow'>;
  /** Where the gateway of this platform listens, such as `http://127.0.0.1:5000`. */
  gatewayUrl: string;
  /** What this platform is, for whoever looks at it. */
  about: { version: string; driver: string; network: string };
  /** With the built dashboard; what is missing there is said where it would be. */
  dashboardFolder: string;
  log: FastifyBaseLogger;
}
