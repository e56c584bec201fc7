import { createHash } from 'node:crypto';
import { type FileHandle, open, rename } from 'node:fs/promises';

/**
 * A **bundle** is the files of a function. It is kept, and travels to sandboxes, as one **bundle file**: a line of JSON (the manifest), then what the files hold, one
 * after another in the manifest's order. So nothing that an archive names is ever made on the host. docs/protocol.md has the format.
 */

export interface BundledFile {
  /** Relative, with `/` between its parts. */
  path: string;
  /** Bytes. */
  size: number;
  executable: boolean;
  /** Of what it holds, hex. */
  sha256: string;
}

export interface Manifest {
  /** In the order of their paths, compared by code units. */
  files: readonly BundledFile[];
}

export interface StoredBundle {
  /** SHA-256, hex, of the manifest's line without its end. */
  hash: string;
  /** Bytes of all files. */
  bytes: number;
  files: readonly BundledFile[];
}

/** Longest first line that is read: more than any manifest within the limits takes. */
const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

/** A file in the spool, where files lie in the order in which they came. */
export interface SpooledFile extends BundledFile {
  offset: number;
}

export function describe(files: readonly BundledFile[]): StoredBundle & { line: string } {
  const sorted = files
    .map(({ path, size, executable, sha256 }) => ({ path, size, executable, sha256 }))
    .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const line = JSON.stringify({ files: sorted } satisfies Manifest);
  return { line, hash: createHash('sha256').update(line).digest('hex'), bytes: sorted.reduce((sum, { size }) => sum + size, 0), files: sorted };
}

/** Writes the bundle file from the spool; it is on the disk under `target` or not there at all. */
export async function writeBundleFile(
  spool: FileHandle,
  files: readonly SpooledFile[],
  line: string,
  temporary: string,
  target: string,
): Promise<void> {
  const offsets = new Map(files.map(({ path, offset }) => [path, offset]));
  {
    await using file = await open(temporary, 'wx', 0o400);
    await file.write(`${line}\n`);
    for (const { path, size } of (JSON.parse(line) as Manifest).files) {
      for await (const chunk of readRange(spool, offsets.get(path) as number, size)) await file.write(chunk);
    }
    await file.sync();
  }
  await rename(temporary, target);
}

export async function* readRange(file: FileHandle, offset: number, size: number): AsyncGenerator<Buffer> {
  for (let done = 0; done < size; ) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - done));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + done);
    if (bytesRead === 0) throw new Error('a bundle file is shorter than its manifest says');
    done += bytesRead;
    yield bytesRead === buffer.length ? buffer : buffer.subarray(0, bytesRead);
  }
}

/** The manifest, and where the files begin. @throws Error when it is no bundle file */
export async function readManifest(file: FileHandle): Promise<{ manifest: Manifest; contents: number }> {
  const pieces: Buffer[] = [];
  for (let at = 0; at < MAX_MANIFEST_BYTES; ) {
    const buffer = Buffer.allocUnsafe(64 * 1024);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    const end = buffer.subarray(0, bytesRead).indexOf(10);
    pieces.push(buffer.subarray(0, end < 0 ? bytesRead : end));
    if (end >= 0) return { manifest: JSON.parse(Buffer.concat(pieces).toString('utf8')) as Manifest, contents: at + end + 1 };
    at += bytesRead;
  }
  throw new Error('a bundle file has no manifest');
}
