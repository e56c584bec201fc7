import type { ApiKey } from '../../../src/schemas/api-key.ts';
import type { FunctionVersion } from '../../../src/schemas/function.ts';
import type { InstanceRecord, InvocationRecord, LayerRecord } from '../../../src/schemas/records.ts';
import type { TrafficSplit } from '../../../src/schemas/traffic.ts';

/** Complete records for tests; name only what the test is about. */

export function versionDraft(members: Partial<FunctionVersion> = {}): Omit<FunctionVersion, 'number' | 'createdAt'> {
  return {
    functionName: 'echo',
    hash: 'hash 1',
    eventKey: 'http|POST|/echo',
    runtime: 'python',
    style: 'script',
    code: 'print(1)\n',
    module: { format: 'module', web: true, compiled: 'export default 1' },
    bundle: { hash: 'ab'.repeat(32), entry: 'src/app.py' },
    timeoutMs: 60_000,
    network: 'egress',
    layers: ['default'],
    requirements: null,
    environment: {},
    secrets: ['DB_PASSWORD'],
    concurrency: 8,
    maxInstances: 1000,
    maxQueue: 256,
    asyncMode: 'always',
    retry: { attempts: 5, minBackoffMs: 10, maxBackoffMs: 100, maxAgeMs: 60_000 },
    reserved: 1,
    minIdleMs: 5000,
    maxIdleMs: 60_000,
    memoryBytes: 512 * 1024 * 1024,
    cpu: 0.5,
    policy: { apiKeys: true, cors: null, rateLimit: { requests: 5, perS: 1, burst: 2, by: 'key' } },
    schedule: {
      missed: 'once',
      missedWithinS: 60,
      overlap: 'replace',
      jitterS: 5,
      onFailure: { after: 3, target: { kind: 'function', name: 'alarm' } },
      onRecovery: null,
    },
    destinations: { onSuccess: { kind: 'function', name: 'next' }, onFailure: null, callbackSecret: null },
    invokes: ['helper'],
    streamBody: true,
    websocket: true,
    errorLogs: true,
    slo: { availability: 0.999, latency: { thresholdMs: 250, share: 0.99 }, windowDays: 7 },
    program: { command: ['python', 'app.py'], port: 8080, readyPath: '/_/ready', healthPath: null, stopGraceMs: 5000 },
    ...members,
  };
}

export function invocationRecord(members: Partial<InvocationRecord> = {}): InvocationRecord {
  return {
    id: 'invocation',
    correlationId: 'correlation',
    functionName: 'echo',
    versionNumber: 1,
    instanceId: 'instance',
    trigger: 'gateway',
    state: 'succeeded',
    verb: 'POST',
    path: '/echo',
    requestId: null,
    start: 'warm',
    status: 200,
    errorCode: null,
    errorMessage: null,
    acceptedAt: 1000,
    endedAt: 2000,
    queueMs: 1,
    startMs: 2,
    runMs: 3,
    logs: null,
    ...members,
  };
}

export function instanceRecord(members: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    id: 'instance',
    functionName: 'echo',
    versionNumber: 1,
    driver: 'process',
    state: 'idle',
    startedAt: 1000,
    readyAt: 1100,
    stoppedAt: null,
    stopReason: null,
    invocations: 3,
    logs: null,
    ...members,
  };
}

export function layerRecord(members: Partial<LayerRecord> = {}): LayerRecord {
  return {
    id: 'layer',
    name: 'science',
    requirements: 'numpy\n',
    runtime: 'python',
    state: 'ready',
    output: 'Successfully installed numpy',
    createdAt: 1000,
    readyAt: 2000,
    sizeBytes: 4096,
    ...members,
  };
}

export function trafficSplit(members: Partial<TrafficSplit> = {}): TrafficSplit {
  return {
    functionName: 'echo',
    weights: { 1: 90, 2: 10 },
    stickyHeader: 'x-user',
    rollbackOn: { errorRate: 0.2, minimumCalls: 20, windowMs: 60_000 },
    state: 'active',
    rolledBack: null,
    createdAt: 1000,
    ...members,
  };
}

export function apiKey(members: Partial<ApiKey> = {}): ApiKey {
  return {
    id: '0123456789abcdef',
    functionName: 'echo',
    name: 'mobile-app',
    secretHash: 'a'.repeat(64),
    rateLimit: { requests: 10, perS: 60, burst: 3 },
    createdAt: 1000,
    expiresAt: null,
    ...members,
  };
}
