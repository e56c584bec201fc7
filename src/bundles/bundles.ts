import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm, stat, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { HearthError } from '../errors.ts';
import { BundleBuilder, type BundleLimits, invalidBundle } from './bundle-builder.ts';
import { BundleFetches } from './bundle-fetches.ts';
import { describe, readManifest, readRange, type StoredBundle, writeBundleFile } from './bundle-file.ts';
import { readArchive } from './read-archive.ts';

const SUFFIX = '.bundle';
const UNDER_WAY = '.new-';

/** What a definition may say a file holds. */
export type FileContent = string | { base64: string; executable?: boolean };

/** A bundle file on its way to a sandbox. */
export interface OpenBundle {
  /** Bytes of the bundle file. */
  length: number;
  /** To be read to its end or returned from; closes the file then. */
  chunks: AsyncGenerator<Buffer>;
}

/** Where bundle files lie that several nodes share, by their hashes. */
export interface BundleBlobs {
  /** Does nothing when there is one of that hash, save that it counts as asked for. @throws HearthError store_unavailable */
  put(hash: string, file: string): Promise<void>;
  /** Writes it to a file that isn't there yet. @returns whether there is one of that hash @throws HearthError store_unavailable */
  fetch(hash: string, file: string): Promise<boolean>;
}

/** The bundles in the data folder, one file each, named by their content. Methods reject with HearthError storage_full when the disk is. */
export interface Bundles {
  /** Takes in a zip, tar or tar.gz. @throws HearthError invalid_bundle or bundle_too_large */
  receive(archive: Readable): Promise<StoredBundle>;
  /** @throws HearthError invalid_bundle or bundle_too_large */
  fromFiles(files: Readonly<Record<string, FileContent>>): Promise<StoredBundle>;
  /** Keeps it from being swept for the next hour. Undefined when there is none of that hash. */
  get(hash: string): Promise<StoredBundle | undefined>;
  /** Whether it lies in this data folder. */
  isHere(hash: string): Promise<boolean>;
  /** One file of it as text. @throws HearthError invalid_bundle when there is no such file, or it is no text of at most `maxBytes` */
  text(hash: string, path: string, maxBytes: number): Promise<string>;
  open(hash: string): Promise<OpenBundle>;
  /** As a tar.gz that is the same for the same bundle. Undefined when there is none of that hash. */
  archive(hash: string): Promise<Readable | undefined>;
  /** Deletes what `named` doesn't name and nobody has asked for within so many milliseconds. Returns how many. */
  sweep(named: () => Promise<readonly string[]>, unusedMs: number): Promise<number>;
}

/**
 * @param folder is made; nobody else writes there
 * @param shared has what other nodes took in, and is given what this one does before anybody is told its hash; null: there are none
 */
export async function createBundles(folder: string, limits: BundleLimits, shared: BundleBlobs | null = null): Promise<Bundles> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // What a killed platform was about to make.
  for (const name of await readdir(folder)) if (name.startsWith(UNDER_WAY)) await rm(join(folder, name), { force: true });

  const fileOf = (hash: string) => join(folder, `${hash}${SUFFIX}`);
  const temporary = () => join(folder, `${UNDER_WAY}${randomUUID()}`);

  const fetches = shared && new BundleFetches(shared, fileOf, temporary);
  /** One that isn't here comes from where the nodes share them. @throws Error with the code ENOENT when there is none */
  const openFile = (hash: string): Promise<FileHandle> =>
    open(fileOf(hash)).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' || !(await fetches?.bring(hash))) throw error;
      return open(fileOf(hash));
    });

  async function collect(fill: (builder: BundleBuilder) => Promise<void>): Promise<StoredBundle> {
    const spoolFile = temporary();
    const newFile = temporary();
    try {
      await using spool = await open(spoolFile, 'wx+', 0o600);
      const builder = new BundleBuilder(spool, limits);
      await fill(builder);
      if (builder.files.length === 0) throw invalidBundle('The bundle has no files.');
      const { line, ...stored } = describe(builder.files);
      if ((await touch(fileOf(stored.hash))) === false) {
        await writeBundleFile(spool, builder.files, line, newFile, fileOf(stored.hash));
        await syncFolder(folder);
      }
      await shared?.put(stored.hash, fileOf(stored.hash));
      return stored;
    } finally {
      await rm(spoolFile, { force: true });
      await rm(newFile, { force: true });
    }
  }

  return {
    async receive(archive) {
      const upload = temporary();
      try {
        // What is left of a request that is refused is its owner's: to destroy it would cost the sender the answer.
        await pipeline(
          archive.iterator({ destroyOnReturn: false }),
          boundedUpload(limits.maxUploadBytes),
          createWriteStream(upload, { flags: 'wx', mode: 0o600 }),
        );
        return await collect((builder) => readArchive(upload, builder, limits));
      } catch (error) {
        throw asFull(error);
      } finally {
        await rm(upload, { force: true });
      }
    },

    async fromFiles(files) {
      return collect(async (builder) => {
        for (const [path, content] of Object.entries(files)) {
          const bytes = bytesOf(path, content);
          await builder.addFile(path, typeof content === 'object' && content.executable === true, bytes.length, once(bytes));
        }
      }).catch((error: unknown) => {
        throw asFull(error);
      });
    },

    async get(hash) {
      if (!(await touch(fileOf(hash))) && !(await fetches?.bring(hash))) return undefined;
      await using file = await open(fileOf(hash));
      const { line: _, ...stored } = describe((await readManifest(file)).manifest.files);
      return stored;
    },

    isHere: (hash) =>
      stat(fileOf(hash)).then(
        () => true,
        () => false,
      ),

    async text(hash, path, maxBytes) {
      await using file = await openFile(hash);
      const { manifest, contents } = await readManifest(file);
      let offset = contents;
      for (const entry of manifest.files) {
        if (entry.path === path) return await readText(file, offset, entry.size, path, maxBytes);
        offset += entry.size;
      }
      const some = manifest.files.slice(0, 10).map((entry) => entry.path);
      throw invalidBundle(
        `entry: the bundle has no file ${JSON.stringify(path)}. It has ${some.join(', ')}${manifest.files.length > 10 ? ', …' : ''}.`,
      );
    },

    async open(hash) {
      const file = await openFile(hash);
      const length = (await file.stat()).size;
      return { length, chunks: readAndClose(file, length) };
    },

    async archive(hash) {
      const file = await openFile(hash).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      return file && gzippedTar(file);
    },

    async sweep(named, unusedMs) {
      const before = Date.now() - unusedMs;
      const names = (await readdir(folder)).filter((name) => name.endsWith(SUFFIX));
      if (names.length === 0) return 0;
      // Asked after the files were listed: a file is there before the version that names it.
      const used = new Set((await named()).map((hash) => `${hash}${SUFFIX}`));
      let count = 0;
      for (const name of names) {
        if (used.has(name) || (await stat(join(folder, name))).mtimeMs > before) continue;
        await unlink(join(folder, name));
        count++;
      }
      return count;
    },
  };
}

/** Whether it was there. */
async function touch(file: string): Promise<boolean> {
  const now = new Date();
  return utimes(file, now, now).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder);
  await handle.sync();
}

function boundedUpload(most: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= most) done(null, chunk);
      else done(new HearthError('bundle_too_large', `The archive is larger than ${most} bytes (bundles.max_upload_bytes).`));
    },
  });
}

function asFull(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new HearthError('storage_full', 'The bundle could not be kept: the disk of the data folder is full.', { cause: error });
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function bytesOf(path: string, content: FileContent): Buffer {
  if (typeof content === 'string') {
    if (!content.isWellFormed()) throw invalidBundle(`files: ${JSON.stringify(path)} has a lone surrogate, which is no Unicode character.`);
    return Buffer.from(content, 'utf8');
  }
  const bytes = Buffer.from(content.base64, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== content.base64.replace(/=+$/, ''))
    throw invalidBundle(`files: ${JSON.stringify(path)} is no base64.`);
  return bytes;
}

async function readText(file: FileHandle, offset: number, size: number, path: string, maxBytes: number): Promise<string> {
  if (size > maxBytes) throw invalidBundle(`entry: ${JSON.stringify(path)} is larger than ${maxBytes} bytes; let it import the rest.`);
  if (size === 0) throw invalidBundle(`entry: ${JSON.stringify(path)} is empty.`);
  const pieces: Buffer[] = [];
  for await (const piece of readRange(file, offset, size)) pieces.push(piece);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(pieces));
  } catch (cause) {
    throw invalidBundle(`entry: ${JSON.stringify(path)} is no UTF-8 text.`, cause);
  }
}

async function* readAndClose(file: FileHandle, length: number): AsyncGenerator<Buffer> {
  try {
    yield* readRange(file, 0, length);
  } finally {
    await file.close();
  }
}

function gzippedTar(file: FileHandle): Readable {
  const archive = pack();
  const zipped = createGzip();
  const write = async () => {
    const { manifest, contents } = await readManifest(file);
    let offset = contents;
    for (const { path, size, executable } of manifest.files) {
      const entry = archive.entry({ name: path, size, mode: executable ? 0o755 : 0o644, mtime: new Date(0) });
      await pipeline(Readable.from(readRange(file, offset, size)), entry);
      offset += size;
    }
    archive.finalize();
  };
  void pipeline(archive, zipped).catch((error: Error) => zipped.destroy(error));
  write()
    .catch((error: Error) => archive.destroy(error))
    .finally(() => file.close())
    .catch((error: Error) => zipped.destroy(error));
  return zipped;
}
