import { HearthError } from '../../../src/errors.ts';
import { FUNCTION_DEFAULTS } from '../../../src/registry/defaults.ts';
import { createRegistry, type Registry, type RegistryOptions } from '../../../src/registry/registry.ts';
import { TrafficMonitor } from '../../../src/registry/traffic-monitor.ts';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';
import { readVersions } from '../../../src/store/read-versions.ts';
import type { Store } from '../../../src/store/store.ts';
import type { MemoryLayers } from './memory-layers.ts';

/** Stands for the parser in a sandbox: finds a handler by its text, and calls code with `syntax error` in it invalid. */
const inspectByText: RegistryOptions['inspectCode'] = async (code) => {
  if (code.includes('syntax error')) throw new HearthError('invalid_code', 'invalid syntax in line 1', { extra: { line: 1 } });
  return { style: code.includes('def handler') ? 'handler' : 'script', asynchronous: code.includes('async def handler'), module: null };
};

export function makeRegistry(store: Store, layers: MemoryLayers, options: Partial<RegistryOptions> = {}): Registry {
  return createRegistry({
    stored: readVersions(store),
    store,
    layers,
    // For what bundles do, test/integration/bundles.
    bundles: undefined as never,
    inspectCode: inspectByText,
    defaults: { ...FUNCTION_DEFAULTS, network: 'egress' },
    monitor: new TrafficMonitor(() => performance.now()),
    warmer: { isLive: () => false, warm: async () => {} },
    clock: Date.now,
    random: Math.random,
    log: { info() {}, warn() {}, error() {} },
    secrets: { has: () => true, refresh: async () => {} },
    onInService() {},
    onRemoved() {},
    ...options,
  });
}

export function definition(members: Partial<FunctionDefinition> = {}): FunctionDefinition {
  return { event_type: 'http|POST|/echo', function_name: 'echo', function_code: 'print(1)', ...members };
}
