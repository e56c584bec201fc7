import type { Bundles } from '../bundles/bundles.ts';
import { HearthError } from '../errors.ts';
import type { BuiltLayer, Layers } from '../layers/layers.ts';
import type { NetworkMode } from '../sandbox/driver.ts';
import { checkSchedule, sayIfNobodyIsTold } from '../schedules/schedule-policy.ts';
import type { FunctionDefinition, FunctionVersion } from '../schemas/function.ts';
import { type RuntimeName, runtimeFamily } from '../schemas/runtime-name.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { Store } from '../store/store.ts';
import { checkDefinition, checkLimits, checkRuntime, type LimitBounds } from './check-definition.ts';
import { checkQueueTrigger, destinationsOf, requireBroker, sayIfUnknown, signingSecrets } from './check-destinations.ts';
import { sayIfOpened } from './check-policy.ts';
import { isProgram } from './check-program.ts';
import { sameEventKey } from './check-traffic.ts';
import type { FunctionDefaults } from './defaults.ts';
import { draftOf, ownRequirements } from './draft-version.ts';
import { type FunctionState, type InService, inService, versionsIn } from './in-service.ts';
import type { CodeInspection } from './inspect-code.ts';
import type { ModuleFile } from './module-file.ts';
import { resolveCode } from './resolve-code.ts';
import { Sequence } from './sequence.ts';
import { Supplies, type SuppliesParts } from './supplies.ts';
import { createTrafficControl, type TrafficControl, type TrafficControlParts } from './traffic-control.ts';
import type { TrafficMonitor } from './traffic-monitor.ts';
import { versionHash } from './version-hash.ts';
import { type Warmer, warmUp } from './warm-up.ts';

/** Milliseconds that a switch waits for a new version's first instance. */
const WARM_TIMEOUT_MS = 10_000;
/** The same, when another node has made it and it is to be known everywhere soon. */
const REFRESH_WARM_MS = 400;

export interface RegistryOptions {
  store: Pick<Store, 'functionState' | 'putVersion' | 'deleteFunction'> & TrafficControlParts['store'];
  /** Whether other nodes write to the store too: then each change starts from what it has by then. When left out, none does. */
  shared?: boolean;
  /** The current version of every function that the store has. */
  stored: AsyncIterable<readonly FunctionVersion[]>;
  layers: Pick<Layers, 'ensure' | 'default' | 'named' | 'byId' | 'restore'>;
  bundles: Pick<Bundles, 'fromFiles' | 'get' | 'text' | 'isHere'>;
  /** @throws HearthError invalid_code, with the line */
  inspectCode(code: string, runtime: RuntimeName, file: ModuleFile | null): Promise<CodeInspection>;
  defaults: FunctionDefaults;
  /** Networks that can be had on this machine: others are refused. When left out, none is refused here. */
  networks?: readonly NetworkMode[];
  /** Runtimes that are there; when left out, Python alone. */
  runtimes?: readonly RuntimeName[];
  /** What an instance may be given at most; when left out, nothing is refused here. */
  bounds?: LimitBounds;
  /** Whether exchanges can be destinations; when left out, they can't. */
  hasBroker?: boolean;
  /** Is told what comes of calls. */
  monitor: TrafficMonitor;
  warmer: Warmer;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** 0 to below 1, for the choice between versions. */
  random: () => number;
  log: TrafficControlParts['log'] & SuppliesParts['log'];
  secrets: Pick<Secrets, 'has' | 'refresh'>;
  /** What is in service of a function has changed, or is known now, at the start. Must not throw. */
  onInService(service: InService): void;
  /** A function is gone. Must not throw. */
  onRemoved(functionName: string): void;
}

/** The current version of every function and those of its traffic split, in memory; the store has the same and more. */
export interface Registry extends TrafficControl {
  /** Loads what the store has. Before that the registry is empty. @throws HearthError store_unavailable */
  start(): Promise<void>;
  /**
   * Makes a version current; all or nothing. `created` is false when it was current already. Builds the layers that it needs first, which may take minutes.
   * Changes of one name take effect in the order in which they were asked for. A function that is being called gets an instance of the new version before
   * the switch; a traffic split stays in force. `warnings` says in words what went otherwise than one might expect.
   * @throws HearthError invalid_request, invalid_code, invalid_bundle, bundle_too_large, unknown_bundle, network_unavailable, unknown_secret, unknown_layer, layer_build_failed, conflict, store_unavailable
   */
  register(definition: FunctionDefinition): Promise<Registration>;
  /** Whether there was one. @throws HearthError store_unavailable */
  remove(functionName: string): Promise<boolean>;
  /**
   * Another node has changed the function: what the store has of it is put in service, or it is taken out. Does nothing when it is that already. What it needs is brought to
   * this machine first, in the background: until then what was in service stays, and where nothing was, calls are answered layer_unavailable.
   * @throws HearthError store_unavailable
   */
  refresh(functionName: string): Promise<void>;
  /** Brings nothing more to this machine. */
  close(): void;
  /** By name. */
  list(): readonly FunctionVersion[];
  get(functionName: string): FunctionVersion | undefined;
  /** Names of the functions that have a version with that layer in service, and of those under registration that have got hold of it. */
  usersOfLayer(layerId: string): string[];
  /** Names of the functions that have a version in service, or under registration, that names the secret. */
  usersOfSecret(secretName: string): string[];
}

export interface Registration {
  version: FunctionVersion;
  created: boolean;
  warnings: string[];
}

/** What a registration must not lose while it is under way. */
interface Hold {
  functionName: string;
  layerIds: string[];
  secrets: readonly string[];
}

export function createRegistry(options: RegistryOptions): Registry {
  const { store, layers, inspectCode, defaults, networks, monitor, onInService, onRemoved } = options;
  const states = new Map<string, FunctionState>();
  const sequence = new Sequence();
  /** Registrations under way, their secrets, and the layers that they have so far. */
  const underWay = new Set<Hold>();

  const warm = (versions: readonly FunctionVersion[]) => warmUp(options.warmer, versions, WARM_TIMEOUT_MS);
  const supplies = new Supplies({
    layers,
    bundles: options.bundles,
    onSupplied: (functionName) => sequence.run(functionName, () => refresh(functionName, true)),
    log: options.log,
  });

  function apply(functionName: string, state: FunctionState): void {
    states.set(functionName, state);
    onInService(inService(state, options.random));
  }

  /** One that an older release let in and that we wouldn't must not keep the others from being served. */
  function applyStored(version: FunctionVersion, putInForce = () => apply(version.functionName, { current: version, traffic: null })): void {
    try {
      putInForce();
    } catch (error) {
      if (!(error instanceof HearthError)) throw error;
      options.log.error(
        { function: version.functionName, version: version.number, eventKey: version.eventKey, reason: error.message },
        'a stored function can not be put in service: register it anew, or delete it',
      );
    }
  }

  function change<T>(functionName: string, task: () => Promise<T>): Promise<T> {
    return sequence.run(functionName, async () => {
      if (options.shared) await refresh(functionName);
      return task();
    });
  }

  const traffic = createTrafficControl({
    store,
    monitor,
    sequence,
    change,
    states,
    clock: options.clock,
    log: options.log,
    apply,
    warmUp: warm,
    async holdingLayers(versions, task) {
      const holds = versions.map(({ functionName, layers: layerIds, secrets }) => ({ functionName, layerIds: [...layerIds], secrets }));
      for (const hold of holds) underWay.add(hold);
      try {
        for (const version of versions) {
          for (const id of version.layers) if (layers.byId(id) === undefined) await layers.restore(id);
          checkLayers(version, layers);
          checkSecrets(version, options.secrets);
        }
        return await task();
      } finally {
        for (const hold of holds) underWay.delete(hold);
      }
    },
  });

  function takeOut(functionName: string): void {
    supplies.forget(functionName);
    monitor.unwatch(functionName);
    if (states.delete(functionName)) onRemoved(functionName);
  }

  /** @param supplied what it needs has just come, so that whoever prepares for it is to be told, even if nothing else is new */
  async function refresh(functionName: string, supplied = false): Promise<void> {
    const stored = await store.functionState(functionName);
    const before = states.get(functionName);
    if (stored === undefined) {
      takeOut(functionName);
      return;
    }
    const state = await traffic.loading.merge(stored, before);
    const versions = versionsIn(state);
    const needs = await supplies.missing(versions);
    if (needs.length > 0) {
      supplies.bring(functionName, needs);
      if (before) return;
    } else {
      supplies.forget(functionName);
      if (state === before && !supplied) return;
      const known = before ? versionsIn(before) : [];
      const fresh = versions.filter((version) => !known.includes(version));
      // Whoever waits for it doesn't learn of what goes wrong with it: the first call does.
      await warmUp(options.warmer, fresh, REFRESH_WARM_MS);
    }
    applyStored(state.current, () => traffic.loading.enforce(functionName, state));
  }

  function list(): FunctionVersion[] {
    return [...states.values()].map(({ current }) => current).sort((a, b) => (a.functionName < b.functionName ? -1 : 1));
  }

  function users(inService: (version: FunctionVersion) => boolean, registering: (hold: Hold) => boolean): string[] {
    const names = [...states].filter(([, { current, traffic }]) => [current, ...(traffic?.versions ?? [])].some(inService)).map(([name]) => name);
    names.sort();
    for (const hold of underWay) if (registering(hold)) names.push(hold.functionName);
    return [...new Set(names)];
  }

  /** In search order: the function's own requirements, the named layers, the default one. */
  async function resolveLayers(definition: FunctionDefinition, held: string[]): Promise<string[]> {
    const hold = (layer: BuiltLayer) => {
      if (!held.includes(layer.id)) held.push(layer.id);
    };
    const requirements = ownRequirements(definition);
    if (requirements !== null) hold(await layers.ensure(requirements, null, definition.runtime ?? 'python'));
    for (const name of definition.layers ?? []) {
      const layer = await layers.named(name);
      checkLayerOf(definition, layer);
      hold(layer);
    }
    // Those of Node.js find what every function has beside their agent.
    if (runtimeFamily(definition.runtime ?? 'python') === 'python') hold(await layers.default());
    return [...held];
  }

  async function register(definition: FunctionDefinition): Promise<Registration> {
    checkAgainstSplit(definition, states.get(definition.function_name));
    const source = await resolveCode(definition, options.bundles);
    const inspection = isProgram(definition.style) ? AS_SAID : await inspectCode(source.code, definition.runtime ?? 'python', source.file);
    const registration = {
      functionName: definition.function_name,
      layerIds: [] as string[],
      secrets: [...(definition.secrets ?? []), ...signingSecrets(destinationsOf(definition))],
    };
    underWay.add(registration);
    try {
      await checkNamedSecrets(registration.secrets, options.secrets);
      const draft = draftOf(definition, source, await resolveLayers(definition, registration.layerIds), inspection, defaults);
      const { version, created } = await store.putVersion({ ...draft, hash: versionHash(draft) });
      const { functionName } = version;
      if (!created && states.get(functionName)?.current.number === version.number) return { version, created, warnings: [] };
      const warnings = states.get(functionName)?.traffic ? [] : await warm([version]);
      const before = states.get(functionName);
      if (before?.traffic) {
        warnings.push(
          `The traffic split stays in force: version ${version.number} is current, but gets no calls until the split names it or is ended.`,
        );
      }
      warnings.push(...sayIfOpened(before?.current, version));
      warnings.push(...sayIfNobodyIsTold(version, (name) => states.has(name)));
      warnings.push(...sayIfUnknown(version, (name) => states.has(name)));
      apply(functionName, { current: version, traffic: before?.traffic ?? null });
      return { version, created, warnings };
    } finally {
      underWay.delete(registration);
    }
  }

  return {
    async start() {
      for await (const versions of options.stored) {
        for (const version of versions) applyStored(version);
      }
      await traffic.loading.load();
      if (!options.shared) return;
      for (const [functionName, state] of states) {
        const needs = await supplies.missing(versionsIn(state));
        if (needs.length > 0) supplies.bring(functionName, needs);
      }
    },
    async register(definition) {
      checkDefinition(definition);
      checkQueueTrigger(definition, options.hasBroker ?? false);
      requireBroker(destinationsOf(definition), options.hasBroker ?? false);
      checkRuntime(definition, options.runtimes ?? ['python']);
      if (options.bounds) checkLimits(definition, options.bounds);
      checkSchedule(definition, options.clock());
      if (definition.network !== undefined && networks !== undefined && !networks.includes(definition.network)) {
        const offered = networks.map((network) => `"${network}"`).join(', ');
        throw new HearthError('network_unavailable', `network: "${definition.network}" can not be had on this machine, which offers ${offered}.`);
      }
      return change(definition.function_name, () => register(definition));
    },
    remove: (functionName) =>
      sequence.run(functionName, async () => {
        const existed = await store.deleteFunction(functionName);
        takeOut(functionName);
        return existed;
      }),
    refresh: (functionName) => sequence.run(functionName, () => refresh(functionName)),
    close: () => supplies.close(),
    list,
    get: (functionName) => states.get(functionName)?.current,
    ...traffic.control,
    usersOfLayer: (layerId) =>
      users(
        (version) => version.layers.includes(layerId),
        ({ layerIds }) => layerIds.includes(layerId),
      ),
    usersOfSecret: (secretName) =>
      users(
        (version) => version.secrets.includes(secretName) || signingSecrets(version.destinations).includes(secretName),
        ({ secrets }) => secrets.includes(secretName),
      ),
  };
}

/** All versions of a split share an event key, so a new one can't take the function elsewhere. @throws HearthError conflict */
function checkAgainstSplit({ event_type: eventKey, function_name: functionName }: FunctionDefinition, state: FunctionState | undefined): void {
  if (!state?.traffic || sameEventKey(eventKey, state.current.eventKey)) return;
  throw new HearthError(
    'conflict',
    `The calls of "${functionName}" are split between versions under ${state.current.eventKey}; end the split (DELETE /functions/${functionName}/traffic) before you register it under ${eventKey}.`,
  );
}

/** @throws HearthError invalid_request for libraries of another language or another version of Node.js */
function checkLayerOf({ runtime = 'python' }: FunctionDefinition, layer: BuiltLayer): void {
  if (layer.runtimes.includes(runtime)) return;
  const [made] = layer.runtimes;
  const message = `the layer ${layer.name} holds libraries of ${made}, and the function runs on ${runtime}. Name one that is built for ${runtime}, or change \`runtime\`.`;
  throw new HearthError('invalid_request', `layers: ${message}`, { extra: { errors: [{ field: 'layers', message }] } });
}

/** @throws HearthError conflict */
function checkLayers(version: FunctionVersion, layers: Pick<Layers, 'byId'>): void {
  if (version.layers.every((id) => layers.byId(id) !== undefined)) return;
  throw new HearthError(
    'conflict',
    `A layer of version ${version.number} of "${version.functionName}" was deleted. Register its code again to have the layer rebuilt.`,
  );
}

/** @throws HearthError unknown_secret */
async function checkNamedSecrets(names: readonly string[], secrets: Pick<Secrets, 'has' | 'refresh'>): Promise<void> {
  // Another node may have set it a moment ago.
  for (const name of names) if (!secrets.has(name)) await secrets.refresh(name);
  const missing = names.filter((name) => !secrets.has(name));
  if (missing.length === 0) return;
  throw new HearthError('unknown_secret', `secrets: there is no secret ${missing.join(', ')}. Set it first: \`hearth secrets set ${missing[0]}\`.`, {
    extra: { secrets: missing },
  });
}

/** @throws HearthError conflict */
function checkSecrets(version: FunctionVersion, secrets: Pick<Secrets, 'has'>): void {
  const missing = version.secrets.find((name) => !secrets.has(name));
  if (missing === undefined) return;
  throw new HearthError(
    'conflict',
    `Version ${version.number} of "${version.functionName}" names the secret ${missing}, which was deleted. Set it again: \`hearth secrets set ${missing}\`.`,
  );
}

/** Of what is no Python that would be parsed. */
const AS_SAID: CodeInspection = { style: 'script', asynchronous: false, module: null };
