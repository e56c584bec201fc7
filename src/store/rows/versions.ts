import type { FunctionVersion } from '../../schemas/function.ts';
import type { Row, SqlValue } from './row.ts';

export const VERSION_SELECT = 'SELECT v.*, b.code AS code FROM function_versions v JOIN code_blobs b ON b.hash = v.code_hash';

/** In the order of versionValues. */
export const VERSION_COLUMNS = [
  'function_name',
  'number',
  'hash',
  'event_key',
  'runtime',
  'style',
  'code_hash',
  'timeout_ms',
  'network',
  'layers',
  'requirements',
  'environment',
  'concurrency',
  'max_instances',
  'max_queue',
  'reserved',
  'min_idle_ms',
  'max_idle_ms',
  'secrets',
  'async_mode',
  'retry',
  'memory_bytes',
  'cpu',
  'policy',
  'schedule',
  'destinations',
  'invokes',
  'program',
  'module',
  'bundle',
  'stream_body',
  'websocket',
  'error_logs',
  'slo',
  'created_at',
];

/** In the order of VERSION_COLUMNS. */
export function versionValues(version: FunctionVersion, codeHash: string): SqlValue[] {
  return [
    version.functionName,
    version.number,
    version.hash,
    version.eventKey,
    version.runtime,
    version.style,
    codeHash,
    version.timeoutMs,
    version.network,
    JSON.stringify(version.layers),
    version.requirements,
    JSON.stringify(version.environment),
    version.concurrency,
    version.maxInstances,
    version.maxQueue,
    version.reserved,
    version.minIdleMs,
    version.maxIdleMs,
    JSON.stringify(version.secrets),
    version.asyncMode,
    JSON.stringify(version.retry),
    version.memoryBytes,
    version.cpu,
    version.policy && JSON.stringify(version.policy),
    version.schedule && JSON.stringify(version.schedule),
    version.destinations && JSON.stringify(version.destinations),
    version.invokes.length > 0 ? JSON.stringify(version.invokes) : null,
    version.program && JSON.stringify(version.program),
    version.module && JSON.stringify(version.module),
    version.bundle && JSON.stringify(version.bundle),
    Number(version.streamBody),
    Number(version.websocket),
    Number(version.errorLogs),
    version.slo && JSON.stringify(version.slo),
    version.createdAt,
  ];
}

const MAX_COMMON_TEXTS = 256;

/** Without a copy of the bytes. */
function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('utf8');
}

/** Texts that many versions have in common, such as the default retries. */
export class CommonTexts {
  readonly #values = new Map<string, unknown>();

  /** What the JSON says; the same object for the same text, so it is not to be changed. */
  parse(text: string): unknown {
    const known = this.#values.get(text);
    if (known !== undefined) return known;
    const value: unknown = JSON.parse(text);
    if (this.#values.size < MAX_COMMON_TEXTS) this.#values.set(text, value);
    return value;
  }
}

/**
 * From a row of VERSION_SELECT. Strict tables and our own INSERT vouch for the types. What versions have in common passes between threads once for all that are
 * sent together.
 */
export function versionFromRow(row: Row, common: CommonTexts): FunctionVersion {
  return {
    functionName: row.function_name as string,
    number: row.number as number,
    hash: row.hash as string,
    eventKey: row.event_key as string,
    runtime: row.runtime as FunctionVersion['runtime'],
    style: row.style as FunctionVersion['style'],
    code: textOf(row.code as Uint8Array),
    timeoutMs: row.timeout_ms as number,
    network: row.network as FunctionVersion['network'],
    layers: common.parse(row.layers as string) as string[],
    requirements: row.requirements as string | null,
    environment: common.parse(row.environment as string) as Record<string, string>,
    concurrency: row.concurrency as number,
    maxInstances: row.max_instances as number,
    maxQueue: row.max_queue as number,
    reserved: row.reserved as number,
    minIdleMs: row.min_idle_ms as number,
    maxIdleMs: row.max_idle_ms as number | null,
    memoryBytes: row.memory_bytes as number | null,
    cpu: row.cpu as number | null,
    secrets: common.parse(row.secrets as string) as string[],
    asyncMode: row.async_mode as FunctionVersion['asyncMode'],
    retry: common.parse(row.retry as string) as FunctionVersion['retry'],
    policy: (row.policy === null ? null : common.parse(row.policy as string)) as FunctionVersion['policy'],
    schedule: (row.schedule === null ? null : common.parse(row.schedule as string)) as FunctionVersion['schedule'],
    destinations: (row.destinations === null ? null : common.parse(row.destinations as string)) as FunctionVersion['destinations'],
    invokes: common.parse((row.invokes as string | null) ?? '[]') as string[],
    program: (row.program === null ? null : common.parse(row.program as string)) as FunctionVersion['program'],
    module: typeof row.module === 'string' ? (JSON.parse(row.module) as FunctionVersion['module']) : null,
    streamBody: row.stream_body === 1,
    websocket: row.websocket === 1,
    errorLogs: row.error_logs === 1,
    slo: (row.slo === null ? null : common.parse(row.slo as string)) as FunctionVersion['slo'],
    bundle: (row.bundle === null ? null : JSON.parse(row.bundle as string)) as FunctionVersion['bundle'],
    createdAt: row.created_at as number,
  };
}
