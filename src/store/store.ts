import type { AuditEntry, TokenRecord } from '../schemas/access.ts';
import type { ApiKey } from '../schemas/api-key.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { InstanceRecord, InvocationRecord, InvocationState, LayerRecord } from '../schemas/records.ts';
import type { FiringRecord, ScheduleChange, ScheduleNotice, ScheduleRecord } from '../schemas/schedule.ts';
import type { StoredSecret } from '../schemas/secret.ts';
import type { SeriesKey, SeriesStep } from '../schemas/series.ts';
import type { TrafficSplit } from '../schemas/traffic.ts';

/**
 * What must survive a restart. Every method is asynchronous, so that a database elsewhere can implement it; none is on the way of a synchronous
 * request. Methods reject with HearthError store_unavailable when the database can't be read or written.
 */
export interface Store {
  /** The current version of every function, by name; or of so many functions whose names come after that one: how many are read without holding up others. */
  currentVersions(page?: VersionPage): Promise<FunctionVersion[]>;
  /** What is in service of one function, as of one instant; undefined when there is no such function. */
  functionState(functionName: string): Promise<StoredFunction | undefined>;
  /**
   * Makes a version and makes it current, in one transaction. When the current version has the same hash, nothing changes and that one comes back.
   * A hash that an older version of the function has makes a new number all the same.
   */
  putVersion(version: Omit<FunctionVersion, 'number' | 'createdAt'>): Promise<{ version: FunctionVersion; created: boolean }>;
  /** Newest first. Empty when there never was such a function; versions outlive the function's deletion. */
  versions(functionName: string): Promise<FunctionVersion[]>;
  version(functionName: string, number: number): Promise<FunctionVersion | undefined>;
  /**
   * Makes a version current that exists already, and ends the function's traffic split, in one transaction. Undefined, and nothing changes, when there
   * is no such function or version.
   */
  makeCurrent(functionName: string, number: number): Promise<FunctionVersion | undefined>;
  /** Hashes of the bundles that any version names. */
  namedBundles(): Promise<string[]>;
  /** Whether there was one. Its versions and records stay, its traffic split, its API keys and its series go. */
  deleteFunction(functionName: string): Promise<boolean>;

  /** By function name. */
  trafficSplits(): Promise<TrafficSplit[]>;
  /** Inserts or replaces the one of that function, which must exist. */
  putTrafficSplit(split: TrafficSplit): Promise<void>;
  /** Whether there was one. */
  deleteTrafficSplit(functionName: string): Promise<boolean>;

  /** By function name and name; of that function, if one is named. */
  apiKeys(functionName?: string): Promise<ApiKey[]>;
  /** False, and nothing changes, when there is no such function; the key goes when the function is deleted. */
  putApiKey(key: ApiKey): Promise<boolean>;
  /** Whether there was one. */
  deleteApiKey(functionName: string, id: string): Promise<boolean>;

  /** Inserts or replaces, all in one transaction. */
  writeInvocations(records: readonly InvocationRecord[]): Promise<void>;
  invocation(id: string): Promise<InvocationRecord | undefined>;
  /** Newest first. */
  invocations(filter: InvocationFilter): Promise<InvocationRecord[]>;

  writeInstances(records: readonly InstanceRecord[]): Promise<void>;
  instance(id: string): Promise<InstanceRecord | undefined>;
  /** Newest first. */
  instances(filter: InstanceFilter): Promise<InstanceRecord[]>;
  /** After a crash: instances not stopped become stopped with that reason, invocations queued or running become failed with `internal`. Returns how many of both.
   * @param nodes those that are gone: of them alone. When left out: of this node, which has just started, and of those that are gone. */
  closeOpenRecords(reason: string, now: number, nodes?: readonly string[]): Promise<number>;
  /** Deletes records of ended invocations and stopped instances that ended before that instant. Returns how many. */
  pruneRecords(before: number): Promise<number>;

  /** By name, encrypted; the store never sees a value. */
  secrets(): Promise<StoredSecret[]>;
  secret(name: string): Promise<StoredSecret | undefined>;
  /** Inserts or replaces the one of that name. */
  putSecret(secret: StoredSecret): Promise<void>;
  /** Whether there was one. */
  deleteSecret(name: string): Promise<boolean>;
  /** Inserts or replaces, all in one transaction. */
  replaceSecrets(secrets: readonly StoredSecret[]): Promise<void>;

  /** By function name, all or a page. */
  schedules(page?: VersionPage): Promise<ScheduleRecord[]>;
  /** One of them and what is open of it, as they were at one moment. */
  schedule(functionName: string): Promise<{ record: ScheduleRecord | undefined; open: FiringRecord[] }>;
  /**
   * All in one transaction, each change counting up the revision of its schedule. A firing of an instant that has one already is left out, as is all that
   * belongs to a function which isn't there, and all of a change that was decided on another revision than the one that stands.
   * @returns ids of the firings that were left out; names of the functions whose schedules somebody else has changed
   */
  changeSchedules(changes: readonly ScheduleChange[]): Promise<{ refused: string[]; stale: string[] }>;
  /** Forgets its open firings too. Whether there was one. */
  deleteSchedule(functionName: string): Promise<boolean>;
  /** Of one function, newest first. */
  firings(filter: FiringFilter): Promise<FiringRecord[]>;
  /** Those that have not ended, by id, a page at a time. */
  openFirings(page: VersionPage): Promise<FiringRecord[]>;
  /** Deletes firings that ended before that instant. Returns how many. */
  pruneFirings(before: number): Promise<number>;
  /** Those whose invocation may not be in the queue yet. */
  scheduleNotices(): Promise<ScheduleNotice[]>;
  deleteScheduleNotices(ids: readonly string[]): Promise<void>;

  /** By length of the step, number and function, a page at a time: those after that one, `limit` (1 to 2000) of them. */
  series(page: { after?: SeriesKey; limit: number }): Promise<SeriesStep[]>;
  /** Inserts or replaces, all in one transaction. Those of functions that are not there are left out, and all go when their function is deleted. */
  putSeries(steps: readonly SeriesStep[]): Promise<void>;
  /** Deletes steps of that length with smaller numbers. Returns how many. */
  pruneSeries(stepMs: number, before: number): Promise<number>;

  putLayer(layer: LayerRecord): Promise<void>;
  layers(): Promise<LayerRecord[]>;
  deleteLayer(id: string): Promise<boolean>;
  /** The one of that id that any node has made, a ready one rather than another: what this node needs to make it, too. */
  layerRecipe(id: string): Promise<LayerRecord | undefined>;

  /** Oldest first. */
  tokens(): Promise<TokenRecord[]>;
  token(id: string): Promise<TokenRecord | undefined>;
  /** @throws HearthError conflict when there is one of that name */
  putToken(token: TokenRecord): Promise<void>;
  /** Notes when it was last used; nothing when it is gone. */
  touchToken(id: string, at: number): Promise<void>;
  /** Whether there was one. */
  deleteToken(id: string): Promise<boolean>;

  /** Appends; the entry can not be changed afterwards, only ended once. @returns its id, which counts up */
  beginAudit(entry: Omit<AuditEntry, 'id' | 'version' | 'status'>): Promise<number>;
  /** @throws HearthError when it has ended already */
  endAudit(id: number, status: number, version: number | null): Promise<void>;
  /** Newest first. */
  audit(filter: AuditFilter): Promise<AuditEntry[]>;
  /** Deletes entries made before that instant. Returns how many. */
  pruneAudit(before: number): Promise<number>;

  /** Copies everything as it is at the end of the copying into a file that is not there yet, while others go on reading and writing. */
  snapshot(file: string): Promise<void>;

  close(): Promise<void>;
}

export interface StoredFunction {
  current: FunctionVersion;
  split: TrafficSplit | null;
}

export interface VersionPage {
  /** Name of the last function (or id of the last record) of the page before; empty for the first page. */
  after: string;
  limit: number;
}

export interface InvocationFilter {
  functionName?: string;
  state?: InvocationState;
  /** Only those accepted before that instant: the way to the next page. */
  before?: number;
  /** 1 to 1000. */
  limit: number;
}

export interface InstanceFilter {
  functionName?: string;
  /** Leave out those that have stopped. */
  liveOnly?: boolean;
  /** 1 to 1000. */
  limit: number;
}

export interface FiringFilter {
  functionName: string;
  /** Only those fired before that instant. */
  before?: number;
  /** Only those whose invocation is over. */
  ended?: boolean;
  /** 1 to 1000. */
  limit: number;
}

export interface AuditFilter {
  /** Only those made at that instant or later. */
  since?: number;
  /** Only those with smaller ids: the way to the next page. */
  before?: number;
  /** 1 to 1000. */
  limit: number;
}
