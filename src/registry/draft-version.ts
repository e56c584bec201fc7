import { packagesText } from '../layers/npm-packages.ts';
import { schedulePolicyOf } from '../schedules/schedule-policy.ts';
import type { FunctionDefinition, FunctionVersion, RetryPolicy } from '../schemas/function.ts';
import { destinationsOf } from './check-destinations.ts';
import { policyOf } from './check-policy.ts';
import { isProgram, programOf } from './check-program.ts';
import { sloOf } from './check-slo.ts';
import { checkStreaming } from './check-streaming.ts';
import type { FunctionDefaults } from './defaults.ts';
import type { CodeInspection } from './inspect-code.ts';
import type { ResolvedCode } from './resolve-code.ts';

/** Blank text asks for nothing. */
export function ownRequirements(definition: FunctionDefinition): string | null {
  const { package_json: description, package_lock: lock, allow_scripts: scripts = false } = definition;
  if (description !== undefined) return packagesText({ package: description, lock, scripts });
  const text = definition.requirements ?? '';
  return text.trim() === '' ? null : text;
}

/** A version before the store has numbered it: what the definition says, and where it says nothing, the defaults. @throws HearthError invalid_request */
export function draftOf(
  definition: FunctionDefinition,
  { code, bundle }: ResolvedCode,
  layerIds: readonly string[],
  inspection: CodeInspection,
  defaults: FunctionDefaults,
): Omit<FunctionVersion, 'number' | 'createdAt' | 'hash'> {
  const { style, module, asynchronous } = chosenStyle(definition, inspection);
  checkStreaming(definition, style);
  return {
    functionName: definition.function_name,
    eventKey: definition.event_type,
    runtime: definition.runtime ?? 'python',
    style,
    code,
    bundle,
    module,
    timeoutMs: definition.timeout_ms ?? defaults.timeoutMs,
    network: definition.network ?? defaults.network,
    layers: layerIds,
    requirements: ownRequirements(definition),
    environment: definition.environment ?? {},
    secrets: [...(definition.secrets ?? [])].sort(),
    concurrency: definition.concurrency ?? defaultConcurrency({ style, module, asynchronous }, defaults),
    maxInstances: definition.max_instances ?? defaults.maxInstances,
    maxQueue: definition.max_queue ?? defaults.maxQueue,
    asyncMode: definition.async ?? 'allowed',
    retry: retryPolicy(definition, defaults.retry),
    reserved: definition.reserved ?? 0,
    minIdleMs: definition.min_idle_ms ?? 0,
    maxIdleMs: definition.max_idle_ms ?? null,
    memoryBytes: definition.memory_mb === undefined ? null : definition.memory_mb * 1024 * 1024,
    cpu: definition.cpu ?? null,
    policy: policyOf(definition),
    schedule: schedulePolicyOf(definition),
    destinations: destinationsOf(definition),
    invokes: [...(definition.invokes ?? [])].sort(),
    program: programOf(definition),
    streamBody: definition.stream_body ?? false,
    websocket: definition.websocket ?? false,
    errorLogs: definition.error_logs ?? false,
    slo: sloOf(definition),
  };
}

type ChosenStyle = Pick<FunctionVersion, 'style' | 'module'> & Pick<CodeInspection, 'asynchronous'>;

function defaultConcurrency({ style, module, asynchronous }: ChosenStyle, { concurrency }: FunctionDefaults): number {
  if (style === 'script') return module === null ? concurrency.script : concurrency.nodeScript;
  return style === 'handler' && asynchronous ? concurrency.asyncHandler : concurrency[style];
}

/** What the definition says, or else what was found in the code. */
function chosenStyle({ style }: FunctionDefinition, found: CodeInspection): ChosenStyle {
  if (style === undefined) return found;
  if (isProgram(style)) return { ...found, style };
  if (found.module === null) return { ...found, style: style === 'script' ? 'script' : 'handler' };
  const { shape, ...module } = found.module;
  if (style === 'script') return { ...found, style, module };
  const web = style === 'web';
  return { style: 'handler', asynchronous: web || found.asynchronous, module: { ...module, web, ...(shape && !web ? { shape } : {}) } };
}

function retryPolicy({ retry = {} }: FunctionDefinition, defaults: RetryPolicy): RetryPolicy {
  const minBackoffMs = retry.min_backoff_ms ?? Math.min(defaults.minBackoffMs, retry.max_backoff_ms ?? Number.POSITIVE_INFINITY);
  return {
    attempts: retry.attempts ?? defaults.attempts,
    minBackoffMs,
    maxBackoffMs: retry.max_backoff_ms ?? Math.max(defaults.maxBackoffMs, minBackoffMs),
    maxAgeMs: retry.max_age_s === undefined ? defaults.maxAgeMs : retry.max_age_s * 1000,
  };
}
