import { chmod, open, rename, rm } from 'node:fs/promises';
import { describe, readManifest } from './bundle-file.ts';
import type { BundleBlobs } from './bundles.ts';

/** Brings bundle files from where the nodes share them into this node's folder; two who ask for one at once share one fetch. */
export class BundleFetches {
  readonly #blobs: BundleBlobs;
  readonly #fileOf: (hash: string) => string;
  readonly #temporary: () => string;
  readonly #underWay = new Map<string, Promise<boolean>>();

  /** @param temporary paths, not yet made, in the folder of those that `fileOf` says */
  constructor(blobs: BundleBlobs, fileOf: (hash: string) => string, temporary: () => string) {
    this.#blobs = blobs;
    this.#fileOf = fileOf;
    this.#temporary = temporary;
  }

  /** @returns whether there is one of that hash; it is in the folder then @throws HearthError store_unavailable */
  bring(hash: string): Promise<boolean> {
    let fetch = this.#underWay.get(hash);
    if (fetch === undefined) {
      fetch = this.#fetch(hash).finally(() => this.#underWay.delete(hash));
      this.#underWay.set(hash, fetch);
    }
    return fetch;
  }

  async #fetch(hash: string): Promise<boolean> {
    const file = this.#temporary();
    try {
      if (!(await this.#blobs.fetch(hash, file))) return false;
      await verify(file, hash);
      await chmod(file, 0o400);
      await rename(file, this.#fileOf(hash));
      return true;
    } finally {
      await rm(file, { force: true });
    }
  }
}

/** @throws Error when it isn't what the hash says */
async function verify(path: string, hash: string): Promise<void> {
  await using file = await open(path);
  const { manifest, contents } = await readManifest(file);
  const { hash: found, bytes } = describe(manifest.files);
  if (found !== hash || (await file.stat()).size !== contents + bytes)
    throw new Error(`the bundle ${hash} came damaged from where the nodes share it`);
}
