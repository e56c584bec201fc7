import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { extract, pack } from 'tar-stream';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { HearthError } from '../errors.ts';

/**
 * A backup is one gzipped tar: `queue.db`, `hearth.db` and, if it was asked for, `secrets.key`; the files of `bundles/`; then `manifest.json`, which names them all
 * with their checksums. It stands at the end: a backup that was cut short has none and is refused. Nothing else may be in it.
 */
export const STORE_FILE = 'hearth.db';
export const QUEUE_FILE = 'queue.db';
export const KEY_FILE = 'secrets.key';
const MANIFEST_FILE = 'manifest.json';
/** Folder of files that never change once they are there, each named by its content. */
export const BUNDLE_FOLDER = 'bundles';
const BUNDLE_NAME = /^bundles\/[0-9A-Za-z][0-9A-Za-z._-]{0,199}$/;
export const isBundle = (name: string): boolean => BUNDLE_NAME.test(name);
const isAllowed = (name: string): boolean => [QUEUE_FILE, STORE_FILE, KEY_FILE].includes(name) || isBundle(name);
/** Of the layout that is described above. */
const FORMAT = 1;
const MAX_MANIFEST_BYTES = 64 * 1024;

const Manifest = Type.Object({
  format: Type.Integer({ minimum: 1 }),
  hearth: Type.String({ description: 'Version of the platform that made it.' }),
  created_at: Type.String({ description: 'ISO 8601.' }),
  secrets_key: Type.Union([Type.Literal('included'), Type.Literal('left_out'), Type.Literal('configured')], {
    description: 'configured: it is no file of the data folder, but a setting of the operator.',
  }),
  files: Type.Array(Type.Object({ name: Type.String(), bytes: Type.Integer({ minimum: 0 }), sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) })),
});
export type Manifest = Static<typeof Manifest>;
const manifestShape = Compile(Manifest);

export interface BackupSource {
  /** In the backup. */
  name: string;
  path: string;
}

/** The backup as it goes over the wire. @param onEnd called once, when it has been read or given up */
export function packBackup(sources: readonly BackupSource[], about: Omit<Manifest, 'format' | 'files'>, onEnd: () => void): Readable {
  const tar = pack();
  const archive = createGzip();
  // A reader that leaves destroys the archive, which ends the rest.
  pipeline(tar, archive)
    .catch(() => undefined)
    .finally(onEnd);
  addFiles().catch((error: Error) => tar.destroy(error));
  return archive;

  async function addFiles(): Promise<void> {
    const files: Manifest['files'] = [];
    for (const { name, path } of sources) {
      const there = await stat(path).catch((error: NodeJS.ErrnoException) => {
        // One that nothing names may be deleted at any time.
        if (error.code === 'ENOENT' && isBundle(name)) return undefined;
        throw error;
      });
      if (there === undefined) continue;
      const { size: bytes } = there;
      const entry = tar.entry({ name, size: bytes, mode: 0o600 });
      const measure = new Measure();
      await pipeline(createReadStream(path), measure, entry);
      files.push({ name, bytes, sha256: measure.digest() });
    }
    tar.entry({ name: MANIFEST_FILE, mode: 0o600 }, `${JSON.stringify({ format: FORMAT, ...about, files } satisfies Manifest, null, 2)}\n`);
    tar.finalize();
  }
}

/**
 * Reads a backup to its end and holds it against its manifest.
 * @param folder where its files are written, mode 0600; null: nowhere
 * @throws HearthError invalid_request when it is damaged, cut short, no backup at all, or of a newer platform
 */
export async function unpackBackup(archive: Readable, folder: string | null): Promise<Manifest> {
  const found = new Map<string, { bytes: number; sha256: string }>();
  let manifestText: string | undefined;
  const entries = extract();
  const reading = pipeline(archive, createGunzip(), entries);
  // Told of below, by the loop that fails of it.
  reading.catch(() => undefined);
  try {
    for await (const entry of entries) {
      const { name, type } = entry.header;
      if (type !== 'file' || manifestText !== undefined || found.has(name)) throw new Error(`it holds ${name}, which belongs in no backup`);
      if (name === MANIFEST_FILE) {
        const chunks: Buffer[] = [];
        if ((entry.header.size ?? 0) > MAX_MANIFEST_BYTES) throw new Error('its manifest is too large');
        for await (const chunk of entry) chunks.push(chunk as Buffer);
        manifestText = Buffer.concat(chunks).toString('utf8');
        continue;
      }
      if (!isAllowed(name)) throw new Error(`it holds ${name}, which belongs in no backup`);
      const measure = new Measure();
      if (folder !== null && isBundle(name)) await mkdir(join(folder, BUNDLE_FOLDER), { recursive: true, mode: 0o700 });
      if (folder === null) await pipeline(entry, measure.resume());
      else await pipeline(entry, measure, createWriteStream(join(folder, name), { flags: 'wx', mode: 0o600, flush: true }));
      found.set(name, { bytes: measure.bytes, sha256: measure.digest() });
    }
    await reading;
  } catch (error) {
    if (isOfTheDisk(error)) throw error;
    throw damaged((error as Error).message, error);
  }
  return checked(manifestText, found);
}

function checked(text: string | undefined, found: ReadonlyMap<string, { bytes: number; sha256: string }>): Manifest {
  if (text === undefined) throw damaged('it ends before its manifest');
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch (cause) {
    throw damaged('its manifest is no JSON', cause);
  }
  const { format } = (manifest ?? {}) as { format?: unknown };
  if (typeof format === 'number' && format > FORMAT) {
    throw new HearthError(
      'invalid_request',
      `The backup has the format ${format}, and this version of Hearth reads ${FORMAT}: a newer version made it. Restore it with that version. Nothing was changed.`,
    );
  }
  if (!manifestShape.Check(manifest)) throw damaged('its manifest is not one of a backup');
  const wanted = [STORE_FILE, QUEUE_FILE, ...(manifest.secrets_key === 'included' ? [KEY_FILE] : [])];
  const named = manifest.files.map(({ name }) => name);
  const missing = [...wanted, ...named].filter((name) => !found.has(name));
  if (missing.length > 0) throw damaged(`${missing[0]} is missing`);
  const surplus = [...found.keys()].filter((name) => !named.includes(name) || (name === KEY_FILE && !wanted.includes(name)));
  if (surplus.length > 0) throw damaged(`its manifest does not name ${surplus[0]}`);
  for (const { name, bytes, sha256 } of manifest.files) {
    const file = found.get(name);
    if (file?.bytes !== bytes || file.sha256 !== sha256) throw damaged(`${name} does not match its checksum`);
  }
  return manifest;
}

/** Passes bytes on, and knows how many and what their checksum is. */
class Measure extends Transform {
  bytes = 0;
  readonly #hash = createHash('sha256');

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void): void {
    this.bytes += chunk.length;
    this.#hash.update(chunk);
    done(null, chunk);
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

function damaged(why: string, cause?: unknown): HearthError {
  return new HearthError('invalid_request', `The backup can't be used: ${why}. Nothing was changed; take another one.`, { cause });
}

/** Of writing what is in the backup, not of what is in it. */
function isOfTheDisk(error: unknown): boolean {
  return ['ENOSPC', 'EACCES', 'EROFS', 'EDQUOT', 'EIO', 'EEXIST', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
}
