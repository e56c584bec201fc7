import type { NetworkMode } from '../sandbox/driver.ts';
import type { RetryPolicy } from '../schemas/function.ts';

/** What a definition that doesn't say gets. */
export interface FunctionDefaults {
  timeoutMs: number;
  network: NetworkMode;
  /** Invocations at a time in one instance. */
  concurrency: { script: number; nodeScript: number; handler: number; asyncHandler: number; server: number; lambda: number };
  maxInstances: number;
  maxQueue: number;
  retry: RetryPolicy;
}

/** All but the network, which depends on what the machine offers. */
export const FUNCTION_DEFAULTS: Omit<FunctionDefaults, 'network'> = {
  timeoutMs: 60_000,
  concurrency: { script: 8, nodeScript: 4, handler: 1, asyncHandler: 16, server: 16, lambda: 1 },
  maxInstances: 1000,
  maxQueue: 256,
  retry: { attempts: 3, minBackoffMs: 1000, maxBackoffMs: 60_000, maxAgeMs: 6 * 3600_000 },
};
