import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { HearthError } from '../../errors.ts';
import { usage } from '../cli-error.ts';

export interface Payload {
  data: Buffer<ArrayBuffer>;
  /** Of the data, as far as it shows. */
  type: string;
}

/** `--data`: the text itself, `@FILE`, or `-` for standard input. @returns undefined when there is none */
export async function readPayload(data: string | undefined): Promise<Payload | undefined> {
  if (data === undefined) return undefined;
  const bytes = await bytesOf(data);
  return { data: bytes, type: typeOf(bytes) };
}

async function bytesOf(data: string): Promise<Buffer<ArrayBuffer>> {
  if (data === '-') return Buffer.from(await buffer(process.stdin));
  if (!data.startsWith('@')) return Buffer.from(data);
  const file = data.slice(1);
  return readFile(file).catch((cause: Error) => {
    throw new HearthError('invalid_request', `The file ${file} of --data can't be read: ${cause.message}.`, { cause });
  });
}

function typeOf(bytes: Buffer): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return 'application/octet-stream';
  }
  try {
    JSON.parse(text);
    return 'application/json';
  } catch {
    return 'text/plain; charset=utf-8';
  }
}

/** `Name: value`, as curl takes them. @throws CliError */
export function parseHeaders(lines: readonly string[]): [string, string][] {
  return lines.map((line) => {
    const colon = line.indexOf(':');
    if (colon < 1) throw usage(`--header ${JSON.stringify(line)} is not "Name: value".`);
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
}
