import { createHash } from 'node:crypto';
import { HearthError } from '../../../src/errors.ts';
import type { BuiltLayer, Layers } from '../../../src/layers/layers.ts';
import type { LayerRecord } from '../../../src/schemas/records.ts';

const DEFAULT_REQUIREMENTS = 'pika\n';

/** Layers that "build" in memory: requirements with the word `broken` in them fail, those with `slow` wait for `release`. */
export class MemoryLayers implements Layers {
  readonly #records = new Map<string, LayerRecord>();
  readonly #gate = Promise.withResolvers<void>();
  builds = 0;

  release(): void {
    this.#gate.resolve();
  }

  async start(): Promise<void> {}
  async close(): Promise<void> {}

  async ensure(requirements: string, name: string | null): Promise<BuiltLayer> {
    const id = createHash('sha256').update(requirements).digest('hex');
    if (requirements.includes('slow')) await this.#gate.promise;
    if (requirements.includes('broken')) {
      const output = 'ERROR: No matching distribution found for broken';
      throw new HearthError('layer_build_failed', `The libraries could not be installed: ${output}`, { extra: { output } });
    }
    const known = this.#records.get(id);
    if (known === undefined) this.builds += 1;
    this.#records.set(id, {
      id,
      name: name ?? known?.name ?? null,
      requirements,
      runtime: 'python',
      state: 'ready',
      output: 'Successfully installed',
      createdAt: known?.createdAt ?? this.#records.size,
      readyAt: 1,
      sizeBytes: 10,
    });
    return { id, path: `/layers/${id}`, name, runtimes: ['python'] };
  }

  default(): Promise<BuiltLayer> {
    return this.ensure(DEFAULT_REQUIREMENTS, 'default');
  }

  async named(name: string): Promise<BuiltLayer> {
    const record = this.list().find((candidate) => candidate.name === name);
    if (record === undefined) throw new HearthError('unknown_layer', `There is no layer "${name}".`);
    return { id: record.id, path: `/layers/${record.id}`, name, runtimes: ['python'] };
  }

  byId(id: string): BuiltLayer | undefined {
    const record = this.#records.get(id);
    return record === undefined ? undefined : { id, path: `/layers/${id}`, name: record.name, runtimes: ['python'] };
  }

  /** What other nodes have made, by id; here it is made by `restore`. */
  readonly recipes = new Map<string, string>();

  async restore(id: string): Promise<BuiltLayer | undefined> {
    const requirements = this.recipes.get(id);
    return requirements === undefined ? this.byId(id) : this.ensure(requirements, null);
  }

  whyMissing(): undefined {}

  list(): LayerRecord[] {
    return [...this.#records.values()].reverse();
  }

  async remove(id: string): Promise<boolean> {
    return this.#records.delete(id);
  }
}
