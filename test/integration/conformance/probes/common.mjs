// Stands before every probe in Node.js: what a function sees around it, and what its caller's header X-Do tells it to do.

import { createHash } from 'node:crypto';
import { unlinkSync, writeFileSync } from 'node:fs';

/** What the caller asks for: base64 of JSON, {"act": "report"} by default. */
export function orderOf(pairs) {
  const found = pairs.find(([name]) => name.toLowerCase() === 'x-do');
  return found ? JSON.parse(Buffer.from(found[1], 'base64')) : { act: 'report' };
}

export function bodyOf(data) {
  const shown = data.length <= 4096 ? data.toString('base64') : null;
  return { length: data.length, sha256: createHash('sha256').update(data).digest('hex'), base64: shown };
}

/** @param {Iterable<[string, string]>} pairs */
export function grouped(pairs) {
  const groups = {};
  for (const [name, value] of pairs) {
    groups[name] ??= [];
    groups[name].push(value);
  }
  return groups;
}

export function surroundings() {
  return {
    environment: { ...process.env },
    folder: process.cwd(),
    writable: ['/tmp', '/', '/etc', '/usr', '/var', import.meta.dirname].filter(writes),
  };
}

function writes(folder) {
  const path = `${folder}/probe-${process.pid}`;
  try {
    writeFileSync(path, 'x');
    unlinkSync(path);
    return true;
  } catch {
    return false;
  }
}

/** What has nothing to do with the answer. */
export async function obey({ act, out, err }) {
  if (act === 'print') {
    // biome-ignore lint/suspicious/noConsole: the record is to have it
    console.log(out);
    // biome-ignore lint/suspicious/noConsole: and this
    console.error(err);
  } else if (act === 'raise') throw new RangeError('asked to fail');
  else if (act === 'hang') await new Promise((resolve) => setTimeout(resolve, 60_000));
  else if (act === 'fill') for (const hold = []; ; ) hold.push(Buffer.alloc(8 << 20, 'x'));
  else if (act === 'exit') process.exit(7);
}

export function piecesOf({ pieces, each }) {
  return pieces.map((letter) => letter.repeat(each));
}

/** The bytes of the answer. */
export function dataOf({ size, base64, text = '' }) {
  if (size !== undefined) return Buffer.from('0123456789abcdef'.repeat(size / 16));
  return base64 === undefined ? Buffer.from(text) : Buffer.from(base64, 'base64');
}
