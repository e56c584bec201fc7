import { join } from 'node:path';
import type { Logger } from 'pino';
import { HearthError } from '../errors.ts';
import type { SandboxDriver } from '../sandbox/driver.ts';
import type { LayerRecord } from '../schemas/records.ts';
import type { RuntimeName } from '../schemas/runtime-name.ts';
import { layerFolders } from './folders.ts';
import { type FolderLimits, inspectFolder } from './inspect-folder.ts';
import { type LayerStore, layerBook } from './layer-book.ts';
import { beingBuilt, buildFailure, explain, forgottenRuntime, noSuchRuntime, notBuilt, ofAnotherMachine, stopped } from './layer-errors.ts';
import { layerId } from './layer-id.ts';
import { type LayerMaker, SITE } from './layer-maker.ts';
import type { BuiltLayer, Layers } from './layers.ts';
import { OutputTail } from './output-tail.ts';
import { whenAborted } from './when-aborted.ts';

export interface LayersDependencies {
  store: LayerStore;
  builder: Pick<SandboxDriver, 'build'>;
  /** Holds a folder for each layer, and nothing else; made when it isn't there. */
  folder: string;
  /** The text of requirements.functions.txt; may be empty. */
  defaultRequirements: string;
  /** By the runtimes that their layers are for; that of Python is the first. */
  makers: readonly [LayerMaker, ...LayerMaker[]];
  /** Milliseconds for one build. Default 10 minutes. */
  timeoutMs?: number;
  /** What a layer may hold. Default 2 GiB and 200,000 files. */
  limits?: FolderLimits;
  log: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Milliseconds since the epoch. */
  clock: () => number;
}

const DEFAULT_TIMEOUT_MS = 10 * 60_000;
const DEFAULT_LIMITS: FolderLimits = { maxBytes: 2 * 1024 ** 3, maxEntries: 200_000 };
const KEPT_OUTPUT_BYTES = 64 * 1024;
const DEFAULT_NAME = 'default';
/** For so long a failed build of the default layer answers whoever asks; then the next one to ask has it tried again. Milliseconds. */
const DEFAULT_RETRY_MS = 60_000;

interface Wanted {
  id: string;
  maker: LayerMaker;
  /** As written. */
  requirements: string;
  normalised: string;
}

interface Build {
  done: Promise<BuiltLayer>;
  /** What its installer has said so far. */
  tail: OutputTail;
  abort: AbortController;
}

/**
 * A layer's record: (none) → building → ready | failed; failed → building, when it is asked for again; ready → failed, when its folder is found
 * gone; any → (none) by `remove`. Builds run one at a time, in the order in which they were asked for.
 */
export function createLayers(deps: LayersDependencies): Layers {
  const { log, clock } = deps;
  const timeoutMs = deps.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const limits = deps.limits ?? DEFAULT_LIMITS;
  const folders = layerFolders(deps.folder);
  const book = layerBook(deps.store);
  const builds = new Map<string, Build>();
  const removals = new Map<string, Promise<void>>();
  const background = new Set<Promise<unknown>>();
  const closing = new AbortController();
  /** Of ids that can't be built here. */
  const foreign = new Map<string, HearthError>();
  let queue: Promise<unknown> = Promise.resolve();
  let defaultFailure: { error: unknown; at: number } | undefined;

  /** Keeps a promise that nobody waits for until `close` does, and logs its failure unless the close is what it failed of. */
  function own(promise: Promise<unknown>, failed: string): void {
    const report = (error: unknown) => {
      if (!closing.signal.aborted) log.error({ err: error }, failed);
    };
    const owned = promise.catch(report).finally(() => background.delete(owned));
    background.add(owned);
  }

  const makerFor = (runtime: RuntimeName) => deps.makers.find(({ names }) => names.includes(runtime));

  /** @throws HearthError invalid_request */
  function want(requirements: string, runtime: RuntimeName): Wanted {
    const maker = makerFor(runtime);
    if (maker === undefined) throw noSuchRuntime(runtime, deps.makers);
    const normalised = maker.normalise(requirements);
    return { id: layerId(maker.target, normalised), maker, requirements, normalised };
  }

  function built(record: LayerRecord): BuiltLayer {
    return { id: record.id, path: folders.path(record.id), name: record.name, runtimes: makerFor(record.runtime)?.names ?? [record.runtime] };
  }

  function byId(id: string): BuiltLayer | undefined {
    const record = book.get(id);
    return record?.state === 'ready' && folders.exists(id) ? built(record) : undefined;
  }

  async function obtain(wanted: Wanted, name: string | null): Promise<BuiltLayer> {
    const { id } = wanted;
    for (let removal = removals.get(id); removal !== undefined; removal = removals.get(id)) await removal.catch(() => undefined);
    refuseWhenClosing();
    const running = builds.get(id);
    if (running !== undefined) {
      await book.name(id, name);
      return running.done;
    }
    if (byId(id) === undefined) return startBuild(wanted, book.nameFor(book.get(id), name));
    await book.name(id, name);
    return byId(id) ?? obtain(wanted, name);
  }

  /** Not async: between looking for a running build and having one, nobody else may start it. */
  function startBuild(wanted: Wanted, name: string | null): Promise<BuiltLayer> {
    const abort = new AbortController();
    const before = queue;
    const record: LayerRecord = {
      id: wanted.id,
      name,
      requirements: wanted.requirements,
      runtime: wanted.maker.names[0] ?? 'python',
      state: 'building',
      output: '',
      createdAt: clock(),
      readyAt: null,
      sizeBytes: null,
    };
    const signal = AbortSignal.any([closing.signal, abort.signal]);
    // One that is aborted while it waits ends at once: it has nothing left to do that would need its turn.
    const turn = Promise.race([before, whenAborted(signal)]);
    const tail = new OutputTail(KEPT_OUTPUT_BYTES);
    const done = build(wanted, signal, tail, [book.put(record), turn]).finally(() => builds.delete(wanted.id));
    builds.set(wanted.id, { done, tail, abort });
    queue = Promise.allSettled([before, done]);
    return done;
  }

  async function build(wanted: Wanted, signal: AbortSignal, tail: OutputTail, after: readonly Promise<unknown>[]): Promise<BuiltLayer> {
    const { id, maker, normalised } = wanted;
    const scratch = folders.scratch(id);
    const site = join(scratch, SITE);
    let output = '';
    try {
      await Promise.all(after);
      refuseWhenStopped(id, signal);
      if (normalised !== '') {
        log.info({ layer: id }, 'building a layer');
        const install = { id: `layer-${id}`, requirements: normalised, outputFolder: scratch, timeoutMs, signal, tail, maxBytes: limits.maxBytes };
        const result = await maker.install(deps.builder, install);
        output = result.output;
        refuseWhenStopped(id, signal);
        if (!result.ok) throw buildFailure(id, maker.installer, result.problem, output);
      }
      const sizeBytes = await inspectFolder(site, limits);
      await folders.publish(site, id);
      await settle(id, { state: 'ready', output, readyAt: clock(), sizeBytes });
      await book.name(id, null);
      log.info({ layer: id, sizeBytes }, 'a layer is ready');
      const layer = byId(id);
      if (layer === undefined) throw new HearthError('internal', `The folder of layer ${id} went away as soon as it was there.`);
      return layer;
    } catch (error) {
      const failure = signal.aborted ? stopped(id, closing.signal.aborted) : explain(id, maker.installer, error, output);
      if (signal.aborted) log.info({ layer: id }, failure.message);
      else log.error({ layer: id, err: failure, output: output.slice(-4096) }, 'a layer could not be built');
      const text = output === '' ? failure.message : `${output.trimEnd()}\n${failure.message}\n`;
      await settle(id, { state: 'failed', output: text, readyAt: null, sizeBytes: null }).catch((unwritten: unknown) =>
        log.error({ layer: id, err: unwritten }, 'the record of a failed layer could not be written'),
      );
      throw failure;
    } finally {
      await folders.delete(scratch).catch((error: unknown) => log.error({ layer: id, err: error }, 'a half-built layer could not be deleted'));
    }
  }

  async function settle(id: string, change: Partial<LayerRecord>): Promise<void> {
    const record = book.get(id);
    if (record !== undefined) await book.put({ ...record, ...change });
  }

  function refuseWhenStopped(id: string, signal: AbortSignal): void {
    if (signal.aborted) throw stopped(id, closing.signal.aborted);
  }

  function refuseWhenClosing(): void {
    if (closing.signal.aborted) throw new HearthError('draining', 'The platform is shutting down and builds no more layers.');
  }

  async function obtainDefault(): Promise<BuiltLayer> {
    const wanted = want(deps.defaultRequirements, 'python');
    if (defaultFailure !== undefined && clock() - defaultFailure.at < DEFAULT_RETRY_MS && !builds.has(wanted.id)) throw defaultFailure.error;
    const record = book.get(wanted.id);
    // Somebody may have named a layer with the same requirements: then it keeps that name.
    const name = record === undefined || record.name === null || record.state === 'failed' ? DEFAULT_NAME : record.name;
    try {
      const layer = await obtain(wanted, name);
      defaultFailure = undefined;
      return layer;
    } catch (error) {
      defaultFailure = { error, at: clock() };
      throw error;
    }
  }

  /** Functions know their layers by id and ask nobody to build them: a lost one has to come back by itself. */
  async function rebuild(record: LayerRecord): Promise<void> {
    if (makerFor(record.runtime) === undefined) return;
    const wanted = want(record.requirements, record.runtime);
    // Another interpreter since then: nothing that is built now would have that id.
    if (wanted.id === record.id) await obtain(wanted, null);
  }

  async function restore(id: string): Promise<BuiltLayer | undefined> {
    const recipe = book.get(id) ?? (await deps.store.layerRecipe(id));
    if (recipe === undefined) return undefined;
    const maker = makerFor(recipe.runtime);
    const wanted = maker && want(recipe.requirements, recipe.runtime);
    if (wanted?.id === id) return obtain(wanted, null);
    const failure = ofAnotherMachine(id, recipe.runtime, maker?.target);
    foreign.set(id, failure);
    throw failure;
  }

  async function takeAway(id: string): Promise<void> {
    const running = builds.get(id);
    running?.abort.abort();
    // Its failure is told to those who asked for it.
    await running?.done.catch(() => undefined);
    const { deleted } = await folders.remove(id);
    own(deleted, 'a removed layer could not be deleted');
    await book.delete(id);
  }

  return {
    async start() {
      await book.load();
      const lost: LayerRecord[] = [];
      for (const record of book.list()) {
        if (record.state === 'building') {
          const output = `${record.output}The platform stopped while it built this layer; its next use tries again.\n`;
          await settle(record.id, { state: 'failed', output });
        } else if (record.state === 'ready' && !folders.exists(record.id)) {
          lost.push(record);
          await settle(record.id, {
            state: 'failed',
            output: 'The folder of this layer is gone; it is built again.\n',
            sizeBytes: null,
            readyAt: null,
          });
        }
      }
      const ready = book.list().filter((record) => record.state === 'ready');
      for (const error of await folders.sweep(new Set(ready.map((record) => record.id)))) {
        log.error({ err: error }, 'a leftover of a layer could not be deleted');
      }
      own(obtainDefault(), 'the default layer could not be built; functions can not start without it');
      for (const record of lost) own(rebuild(record), 'a layer whose folder is gone could not be built again');
    },

    async ensure(requirements, name, runtime = 'python') {
      if (name === DEFAULT_NAME) {
        throw new HearthError('conflict', `The name \`${DEFAULT_NAME}\` is that of the layer which every function has; choose another.`);
      }
      return obtain(want(requirements, runtime), name);
    },

    default: obtainDefault,

    async named(name) {
      const record = book.named(name);
      if (record === undefined) throw new HearthError('unknown_layer', `There is no layer named \`${name}\`.`, { extra: { layer: name } });
      if (makerFor(record.runtime) === undefined) throw forgottenRuntime(name, record.runtime);
      return obtain(want(record.requirements, record.runtime), record.name);
    },

    byId,
    restore: async (id) => byId(id) ?? restore(id),
    whyMissing(id) {
      const record = book.get(id);
      if (record === undefined) return foreign.get(id);
      return record.state === 'building' ? beingBuilt(id) : notBuilt(id, record.output);
    },
    list: () => book.list().map((record) => (record.state === 'building' ? { ...record, output: builds.get(record.id)?.tail.text() ?? '' } : record)),

    async remove(id) {
      refuseWhenClosing();
      const under = removals.get(id);
      if (under !== undefined) {
        await under;
        return false;
      }
      if (book.get(id) === undefined) return false;
      const removal = takeAway(id).finally(() => removals.delete(id));
      removals.set(id, removal);
      await removal;
      return true;
    },

    async close() {
      closing.abort();
      await Promise.allSettled([...builds.values()].map((build) => build.done));
      await Promise.allSettled(removals.values());
      await Promise.allSettled(background);
      await book.written();
    },
  };
}
