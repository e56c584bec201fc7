import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { HearthError } from '../errors.ts';
import { type BundleBuilder, type BundleLimits, invalidBundle } from './bundle-builder.ts';

/** What a tar may have besides the files' bytes: a block of header, its name's and one of padding for each entry. */
const TAR_BYTES_PER_ENTRY = 4096;
const TAR_BYTES_AT_LEAST = 1024 * 1024;

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;
const S_IFLNK = 0o120000;
const MADE_BY_UNIX = 3;
const ENCRYPTED = 0x1;

/** Hands every file of a zip, tar or tar.gz to the builder. @throws HearthError invalid_bundle or bundle_too_large */
export async function readArchive(file: string, builder: BundleBuilder, limits: BundleLimits): Promise<void> {
  const kind = await kindOf(file);
  if (kind === null) throw invalidBundle('The upload is neither a zip nor a tar (.tar.gz) archive.');
  try {
    if (kind === 'zip') await readZip(file, builder);
    else await readTar(file, kind === 'gzip', builder, limits);
  } catch (error) {
    if (error instanceof HearthError) throw error;
    if (isOurs(error)) throw error;
    throw invalidBundle(`The archive can not be read: ${error instanceof Error ? error.message : String(error)}. Nothing of it was kept.`, error);
  }
}

/** Of the file system, not of the archive. */
function isOurs(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && ['ENOSPC', 'EIO', 'EDQUOT', 'EMFILE', 'ENFILE', 'EROFS', 'EACCES'].includes(code);
}

async function kindOf(path: string): Promise<'zip' | 'gzip' | 'tar' | null> {
  await using file: FileHandle = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0);
  const head = buffer.subarray(0, bytesRead);
  if (head.subarray(0, 2).equals(Buffer.of(0x1f, 0x8b))) return 'gzip';
  if (head.subarray(0, 4).equals(Buffer.from('PK\x03\x04')) || head.subarray(0, 4).equals(Buffer.from('PK\x05\x06'))) return 'zip';
  return head.toString('latin1', 257, 262) === 'ustar' ? 'tar' : null;
}

async function readTar(file: string, compressed: boolean, builder: BundleBuilder, limits: BundleLimits): Promise<void> {
  const entries = extract();
  const most = limits.maxBytes + limits.maxFiles * TAR_BYTES_PER_ENTRY + TAR_BYTES_AT_LEAST;
  let bytes = 0;
  // Stops what unpacks to much more than it may hold, wherever in the archive it lies.
  const bounded = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > most)
        done(new HearthError('bundle_too_large', `The archive unpacks to more than ${most} bytes, which is more than its limits allow.`));
      else done(null, chunk);
    },
  });
  const source = createReadStream(file);
  const fed = compressed ? pipeline(source, createGunzip(), bounded, entries) : pipeline(source, bounded, entries);
  const read = (async () => {
    for await (const entry of entries) {
      const { name, type, mode = 0o644, size } = entry.header;
      if (type === 'directory') {
        builder.addFolder(name);
        entry.resume();
      } else if (type === 'file' || type === null || type === undefined) {
        await builder.addFile(name, (mode & 0o111) !== 0, size ?? null, entry as AsyncIterable<Buffer>);
      } else throw refused(name, type);
    }
  })();
  const [feeding, reading] = await Promise.allSettled([
    fed,
    read.catch((error: unknown) => {
      entries.destroy();
      throw error;
    }),
  ]);
  // The reader's word goes first: what it says, it says of the archive; the feeder then only finds its reader gone.
  const failures = [reading, feeding].filter((result) => result.status === 'rejected').map(({ reason }) => reason as unknown);
  const ours = failures.find((reason) => reason instanceof HearthError) ?? failures.find((reason) => !isPremature(reason)) ?? failures[0];
  if (ours !== undefined) throw ours;
}

function isPremature(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE';
}

async function readZip(file: string, builder: BundleBuilder): Promise<void> {
  const zip: ZipFile = await openPromise(file, { autoClose: false, strictFileNames: true, validateEntrySizes: true });
  try {
    for await (const entry of zip.eachEntry()) await readZipEntry(zip, entry, builder);
  } finally {
    zip.close();
  }
}

async function readZipEntry(zip: ZipFile, entry: Entry, builder: BundleBuilder): Promise<void> {
  const { fileName } = entry;
  const mode = entry.versionMadeBy >> 8 === MADE_BY_UNIX ? entry.externalFileAttributes >>> 16 : 0;
  const kind = mode & S_IFMT;
  if (kind === S_IFLNK) throw refused(fileName, 'symlink');
  if (kind !== 0 && kind !== S_IFREG && kind !== S_IFDIR) throw refused(fileName, 'device');
  if (fileName.endsWith('/')) {
    builder.addFolder(fileName);
    return;
  }
  if (kind === S_IFDIR) throw invalidBundle(`The archive says of ${JSON.stringify(fileName)} that it is a folder and a file.`);
  if ((entry.generalPurposeBitFlag & ENCRYPTED) !== 0)
    throw invalidBundle(`${JSON.stringify(fileName)} is encrypted; archive it without a password.`);
  const stream: Readable = await zip.openReadStreamPromise(entry);
  await builder.addFile(fileName, (mode & 0o111) !== 0, entry.uncompressedSize, checked(stream, entry));
}

/** yauzl compares the size, not the sum. */
async function* checked(stream: Readable, { fileName, crc32: expected }: Entry): AsyncGenerator<Buffer> {
  let sum = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    sum = crc32(chunk, sum);
    yield chunk;
  }
  if (sum !== expected) throw invalidBundle(`The archive is damaged: ${JSON.stringify(fileName)} has another checksum than it says.`);
}

const KINDS: Readonly<Record<string, string>> = { symlink: 'a symbolic link', link: 'a hard link' };

function refused(name: string, type: string): HearthError {
  return invalidBundle(
    `The archive has ${JSON.stringify(name)}, which is ${KINDS[type] ?? `no file but a ${type}`}. A bundle is made of files and folders; archive what the link leads to.`,
  );
}
