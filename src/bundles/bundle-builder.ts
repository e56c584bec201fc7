import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { HearthError } from '../errors.ts';
import type { SpooledFile } from './bundle-file.ts';

export interface BundleLimits {
  /** Of an archive. */
  maxUploadBytes: number;
  /** Of all files together, unpacked. */
  maxBytes: number;
  maxFiles: number;
}

const MAX_PATH_BYTES = 1024;
const MAX_PART_BYTES = 255;
const MAX_DEPTH = 32;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be in there
const FORBIDDEN = /[\0-\x1f\x7f\\]/;

export function invalidBundle(message: string, cause?: unknown): HearthError {
  return new HearthError('invalid_bundle', message, cause === undefined ? {} : { cause });
}

/** A path as sandboxes will have it. @param folder it may end in `/` @throws HearthError invalid_bundle */
function checkPath(raw: string, folder = false): string {
  const shown = JSON.stringify(raw.length > 200 ? `${raw.slice(0, 200)}…` : raw);
  const wrong = (why: string) => invalidBundle(`The bundle names ${shown}, ${why}. Nothing of it was kept.`);
  if (!raw.isWellFormed() || FORBIDDEN.test(raw)) throw wrong('which has control characters, backslashes or no Unicode in it');
  if (raw.startsWith('/') || /^[A-Za-z]:/.test(raw)) throw wrong('which is an absolute path');
  const parts = (folder ? raw.replace(/\/+$/, '') : raw).split('/');
  while (parts[0] === '.' && parts.length > 1) parts.shift();
  if (folder && parts.length === 1 && (parts[0] === '.' || parts[0] === '')) return '';
  if (parts.includes('..')) throw wrong('which leads out of the bundle');
  if (parts.some((part) => part === '' || part === '.')) throw wrong('which is no plain path of a file');
  if (parts.length > MAX_DEPTH) throw wrong(`which lies more than ${MAX_DEPTH} folders deep`);
  const path = parts.join('/');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES || parts.some((part) => Buffer.byteLength(part) > MAX_PART_BYTES)) throw wrong('which is too long');
  return path;
}

/** Takes the files of a bundle, one after another, into a spool; keeps what isn't a bundle, or is too much of one, from being taken. */
export class BundleBuilder {
  readonly files: SpooledFile[] = [];
  readonly #spool: FileHandle;
  readonly #limits: BundleLimits;
  /** As a file system that doesn't tell cases or Unicode forms apart would see it → as it came, and whether it is a folder. */
  readonly #names = new Map<string, { path: string; folder: boolean }>();
  #entries = 0;
  #bytes = 0;

  constructor(spool: FileHandle, limits: BundleLimits) {
    this.#spool = spool;
    this.#limits = limits;
  }

  /** @throws HearthError invalid_bundle or bundle_too_large */
  addFolder(raw: string): void {
    this.#count();
    const path = checkPath(raw, true);
    if (path !== '') this.#claim(path, true);
  }

  /** @param announced bytes that it says it has; null: it doesn't say @throws HearthError invalid_bundle or bundle_too_large */
  async addFile(raw: string, executable: boolean, announced: number | null, content: AsyncIterable<Buffer>): Promise<void> {
    this.#count();
    const path = checkPath(raw);
    this.#claim(path, false);
    if (announced !== null && this.#bytes + announced > this.#limits.maxBytes) throw this.#tooLarge();
    const hash = createHash('sha256');
    const offset = this.#bytes;
    for await (const chunk of content) {
      if (this.#bytes + chunk.length > this.#limits.maxBytes) throw this.#tooLarge();
      hash.update(chunk);
      await this.#spool.write(chunk, 0, chunk.length, this.#bytes);
      this.#bytes += chunk.length;
    }
    this.files.push({ path, size: this.#bytes - offset, executable, sha256: hash.digest('hex'), offset });
  }

  #count(): void {
    if (++this.#entries > this.#limits.maxFiles) {
      throw new HearthError(
        'bundle_too_large',
        `The bundle has more than ${this.#limits.maxFiles} files and folders (bundles.max_files). Leave out what the function doesn't need, or build libraries into a layer.`,
      );
    }
  }

  #tooLarge(): HearthError {
    return new HearthError(
      'bundle_too_large',
      `The bundle's files are larger than ${this.#limits.maxBytes} bytes together (bundles.max_bytes). Leave out what the function doesn't need, or build libraries into a layer.`,
    );
  }

  #claim(path: string, folder: boolean): void {
    for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) this.#claimOne(path.slice(0, end), true);
    this.#claimOne(path, folder);
  }

  #claimOne(path: string, folder: boolean): void {
    const key = path.normalize('NFC').toLowerCase();
    const known = this.#names.get(key);
    if (known === undefined) {
      this.#names.set(key, { path, folder });
      return;
    }
    if (folder && known.folder && known.path === path) return;
    const both =
      known.path === path
        ? `${JSON.stringify(path)} twice`
        : `${JSON.stringify(known.path)} and ${JSON.stringify(path)}, which some systems take for one`;
    throw invalidBundle(`The bundle names ${both}. Nothing of it was kept.`);
  }
}
