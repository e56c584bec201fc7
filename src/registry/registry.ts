import { HearthError } from '../errors.ts';
import type { BuiltLayer, Layers } from '../layers/layers.ts';
import { parseEventKey } from '../router/event-key.ts';
import type { NetworkMode } from '../sandbox/driver.ts';
import type { FunctionDefinition, FunctionVersion } from '../schemas/function.ts';
import type { Store } from '../store/store.ts';
import { checkDefinition } from './check-definition.ts';
import type { FunctionDefaults } from './defaults.ts';
import type { CodeInspection } from './inspect-code.ts';
import { Sequence } from './sequence.ts';
import { versionHash } from './version-hash.ts';

export interface RegistryOptions {
  store: Pick<Store, 'currentVersions' | 'putVersion' | 'deleteFunction'>;
  layers: Pick<Layers, 'ensure' | 'default' | 'named'>;
  /** @throws HearthError invalid_code, with the line */
  inspectCode(code: string): Promise<CodeInspection>;
  defaults: FunctionDefaults;
  /** Networks that can be had on this machine: others are refused. When left out, none is refused here. */
  networks?: readonly NetworkMode[];
  /** A version became current: at the start, or because it was registered. Must not throw. */
  onRegistered(version: FunctionVersion): void;
  /** A function is gone. Must not throw. */
  onRemoved(functionName: string): void;
}

/** The current version of every function, in memory; the store has the same and more. */
export interface Registry {
  /** Loads what the store has. Before that the registry is empty. @throws HearthError store_unavailable */
  start(): Promise<void>;
  /**
   * Makes a version current; all or nothing. `created` is false when it was current already. Builds the layers that it needs first, which may take minutes.
   * Registrations and removals of one name take effect in the order in which they were asked for.
   * @throws HearthError invalid_request, invalid_code, network_unavailable, unknown_layer, layer_build_failed, store_unavailable
   */
  register(definition: FunctionDefinition): Promise<{ version: FunctionVersion; created: boolean }>;
  /** Whether there was one. @throws HearthError store_unavailable */
  remove(functionName: string): Promise<boolean>;
  /** By name. */
  list(): readonly FunctionVersion[];
  get(functionName: string): FunctionVersion | undefined;
  /** Names of the functions whose current version has that layer, and of those under registration that have got hold of it. */
  usersOfLayer(layerId: string): string[];
}

export function createRegistry(options: RegistryOptions): Registry {
  const { store, layers, inspectCode, defaults, networks, onRegistered, onRemoved } = options;
  let current = new Map<string, FunctionVersion>();
  const sequence = new Sequence();
  /** Registrations under way and the layers that they have so far. */
  const underWay = new Set<{ functionName: string; layerIds: string[] }>();

  function list(): FunctionVersion[] {
    return [...current.values()].sort((a, b) => (a.functionName < b.functionName ? -1 : 1));
  }

  /** In search order: the function's own requirements, the named layers, the default one. */
  async function resolveLayers(definition: FunctionDefinition, held: string[]): Promise<string[]> {
    const hold = (layer: BuiltLayer) => {
      if (!held.includes(layer.id)) held.push(layer.id);
    };
    const requirements = ownRequirements(definition);
    if (requirements !== null) hold(await layers.ensure(requirements, null));
    for (const name of definition.layers ?? []) hold(await layers.named(name));
    hold(await layers.default());
    return [...held];
  }

  async function register(definition: FunctionDefinition): Promise<{ version: FunctionVersion; created: boolean }> {
    const { style, asynchronous } = await inspectCode(definition.function_code);
    const registration = { functionName: definition.function_name, layerIds: [] as string[] };
    underWay.add(registration);
    try {
      const draft = draftOf(definition, await resolveLayers(definition, registration.layerIds), definition.style ?? style, asynchronous, defaults);
      const { version, created } = await store.putVersion({ ...draft, hash: versionHash(draft) });
      current.set(version.functionName, version);
      if (created) onRegistered(version);
      return { version, created };
    } finally {
      underWay.delete(registration);
    }
  }

  return {
    async start() {
      current = new Map((await store.currentVersions()).map((version) => [version.functionName, version]));
      for (const version of list()) onRegistered(version);
    },
    async register(definition) {
      checkDefinition(definition);
      parseEventKey(definition.event_type);
      if (definition.network !== undefined && networks !== undefined && !networks.includes(definition.network)) {
        const offered = networks.map((network) => `"${network}"`).join(', ');
        throw new HearthError('network_unavailable', `network: "${definition.network}" can not be had on this machine, which offers ${offered}.`);
      }
      return sequence.run(definition.function_name, () => register(definition));
    },
    remove: (functionName) =>
      sequence.run(functionName, async () => {
        const existed = await store.deleteFunction(functionName);
        if (current.delete(functionName)) onRemoved(functionName);
        return existed;
      }),
    list,
    get: (functionName) => current.get(functionName),
    usersOfLayer(layerId) {
      const users = list()
        .filter((version) => version.layers.includes(layerId))
        .map((version) => version.functionName);
      for (const { functionName, layerIds } of underWay) if (layerIds.includes(layerId)) users.push(functionName);
      return [...new Set(users)];
    },
  };
}

/** Blank text asks for nothing. */
function ownRequirements(definition: FunctionDefinition): string | null {
  const text = definition.requirements ?? '';
  return text.trim() === '' ? null : text;
}

function draftOf(
  definition: FunctionDefinition,
  layerIds: readonly string[],
  style: FunctionVersion['style'],
  asynchronous: boolean,
  defaults: FunctionDefaults,
): Omit<FunctionVersion, 'number' | 'createdAt' | 'hash'> {
  const { script, handler, asyncHandler } = defaults.concurrency;
  return {
    functionName: definition.function_name,
    eventKey: definition.event_type,
    runtime: definition.runtime ?? 'python',
    style,
    code: definition.function_code,
    timeoutMs: definition.timeout_ms ?? defaults.timeoutMs,
    network: definition.network ?? defaults.network,
    layers: layerIds,
    requirements: ownRequirements(definition),
    environment: definition.environment ?? {},
    concurrency: definition.concurrency ?? (style === 'script' ? script : asynchronous ? asyncHandler : handler),
    maxInstances: definition.max_instances ?? defaults.maxInstances,
    maxQueue: definition.max_queue ?? defaults.maxQueue,
  };
}
