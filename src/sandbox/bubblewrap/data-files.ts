import { randomUUID } from 'node:crypto';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A file without a name, its offset at 0; it is gone with its last descriptor, also when the platform is killed. Close what you get. */
export function unnamedFile(folder: string, content: string | Uint8Array): number {
  const name = join(folder, `hearth-${randomUUID()}`);
  const descriptor = openSync(name, 'wx+', 0o600);
  try {
    unlinkSync(name);
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    // Positioned writes leave the offset, which the reader inherits, at 0.
    for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written, bytes.length - written, written);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}
