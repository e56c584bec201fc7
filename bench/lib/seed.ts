import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { versionHash } from '../../src/registry/version-hash.ts';
import type { FunctionDefinition, FunctionVersion } from '../../src/schemas/function.ts';
import { openSqliteStore } from '../../src/store/sqlite/open-sqlite-store.ts';
import type { Store } from '../../src/store/store.ts';
import { PROGRAMS } from './folders.ts';
import { BenchPlatform, dataFolderWithLibraries, type PlatformOptions } from './platform.ts';
import { runCommand } from './run-command.ts';

/** In memory if it can be: each registration waits for the disk, and a hundred thousand wait long. Platforms run on copies, on the disk. */
const PLACE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const BATCH = 500;

export interface Seed {
  name: string;
  /** File of bench/programs. */
  program: string;
  settings: Partial<FunctionDefinition>;
}

/**
 * A data folder with functions in it. Each kind is registered once, by a platform; its copies are written by the platform's own store, with a comment that makes
 * the code of each its own, so that nothing is shared by its hash.
 */
export class SeededFolder implements AsyncDisposable {
  readonly #folder: string;
  readonly #templates: ReadonlyMap<string, FunctionVersion>;

  private constructor(folder: string, templates: ReadonlyMap<string, FunctionVersion>) {
    this.#folder = folder;
    this.#templates = templates;
  }

  /** For BenchPlatform's `dataFrom`. */
  get path(): string {
    return join(this.#folder, 'data');
  }

  static async create({ libraries }: Pick<PlatformOptions, 'libraries'>, seeds: readonly Seed[]): Promise<SeededFolder> {
    const folder = await mkdtemp(join(PLACE, 'hearth-bench-seed-'));
    try {
      const data = join(folder, 'data');
      if (libraries) await runCommand('cp', ['-a', await dataFolderWithLibraries(), data]);
      await BenchPlatform.runIn(folder, data, { libraries }, async (platform) => {
        for (const { name, program, settings } of seeds) await platform.define(name, await readFile(`${PROGRAMS}${program}`, 'utf8'), settings);
      });
      const versions = await withStore(data, (store) => store.currentVersions());
      return new SeededFolder(folder, new Map(versions.map((version) => [version.functionName, version])));
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Adds `name-from` to `name-(to - 1)`, each under POST and a path that is its name. @returns paths, from the slash on */
  async copy(name: string, from: number, to: number): Promise<string[]> {
    const template = this.#templates.get(name);
    if (!template) throw new Error(`nothing was seeded under the name ${name}`);
    const { number: _number, createdAt: _createdAt, hash: _hash, ...draft } = template;
    const paths: string[] = [];
    await withStore(this.path, async (store) => {
      for (let start = from; start < to; start += BATCH) {
        const batch = Array.from({ length: Math.min(BATCH, to - start) }, (_, offset) => {
          const functionName = `${name}-${start + offset}`;
          paths.push(`/${functionName}`);
          const own = { ...draft, functionName, eventKey: `http|POST|/${functionName}`, code: `# ${start + offset}\n${draft.code}` };
          return store.putVersion({ ...own, hash: versionHash(own) });
        });
        await Promise.all(batch);
      }
    });
    return paths;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function withStore<T>(data: string, work: (store: Store) => Promise<T>): Promise<T> {
  const quiet = { trace: () => undefined, debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const store = await openSqliteStore({ file: join(data, 'hearth.db'), log: quiet });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
