import { HearthError } from '../errors.ts';
import type { LayerRecord } from '../schemas/records.ts';
import type { Store } from '../store/store.ts';

export type LayerStore = Pick<Store, 'putLayer' | 'layers' | 'deleteLayer' | 'layerRecipe'>;

/**
 * The records of all layers, in memory and in the store. Of the records with one name at most one is ready: that one is what the name stands for.
 * Writes reach the store one after another, so that an older state never replaces a newer one.
 */
export interface LayerBook {
  load(): Promise<void>;
  get(id: string): LayerRecord | undefined;
  /** Newest first. */
  list(): LayerRecord[];
  /** What the name stands for: the ready one, else the newest. */
  named(name: string): LayerRecord | undefined;
  put(record: LayerRecord): Promise<void>;
  delete(id: string): Promise<void>;
  /** The name that a record has once somebody asks for it as `name`. @throws HearthError conflict when it has another already */
  nameFor(record: LayerRecord | undefined, name: string | null): string | null;
  /** Gives a record its name and, when it is ready, takes that name from those that had it. @throws HearthError conflict */
  name(id: string, name: string | null): Promise<void>;
  /** Resolves when the writes begun so far have ended, well or not. */
  written(): Promise<void>;
}

export function layerBook(store: LayerStore): LayerBook {
  /** In the order of their creation. */
  const records = new Map<string, LayerRecord>();
  let writes: Promise<unknown> = Promise.resolve();

  function write<T>(operation: () => Promise<T>): Promise<T> {
    const result = writes.then(operation);
    writes = result.catch(() => undefined);
    return result;
  }

  function put(record: LayerRecord): Promise<void> {
    if (records.get(record.id)?.createdAt !== record.createdAt) records.delete(record.id);
    records.set(record.id, record);
    return write(() => store.putLayer(record));
  }

  function nameFor(record: LayerRecord | undefined, name: string | null): string | null {
    if (name === null) return record?.name ?? null;
    if (record === undefined || record.state === 'failed' || record.name === null || record.name === name) return name;
    throw new HearthError('conflict', `The layer \`${record.name}\` has exactly these requirements already; a layer has one name, so use that one.`, {
      extra: { layer: record.id },
    });
  }

  const list = () => [...records.values()].reverse();

  return {
    async load() {
      records.clear();
      for (const record of (await store.layers()).toSorted((a, b) => a.createdAt - b.createdAt)) records.set(record.id, record);
    },
    get: (id) => records.get(id),
    list,
    named(name) {
      const candidates = list().filter((record) => record.name === name);
      return candidates.find((record) => record.state === 'ready') ?? candidates[0];
    },
    put,
    async delete(id) {
      await write(() => store.deleteLayer(id));
      records.delete(id);
    },
    nameFor,
    async name(id, wanted) {
      const record = records.get(id);
      if (record === undefined) return;
      const name = nameFor(record, wanted);
      const updates = record.name === name ? [] : [{ ...record, name }];
      if (record.state === 'ready' && name !== null) {
        // One that is still being built keeps the claim: the name is its own once it is ready.
        const losers = list().filter((other) => other.id !== id && other.name === name && other.state !== 'building');
        updates.push(...losers.map((other) => ({ ...other, name: null })));
      }
      await Promise.all(updates.map(put));
    },
    async written() {
      await writes;
    },
  };
}
