// A function that is more than one file: a bundle file (docs/protocol.md), unpacked as it comes.

import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { FunctionError } from './errors.mjs';
import { ProtocolError } from './frames.mjs';

const LONGEST_MANIFEST = 64 * 1024 * 1024;
const LINE_END = 0x0a;

/** Takes LoadBundle's payloads. What keeps it from being unpacked is told when all has come, since nobody listens before. */
export class Unpacker {
  #folder;
  /** Bytes of the bundle file that haven't come. */
  #missing;
  /** What came of the manifest's line; null once it is read. */
  #line = [];
  #lineBytes = 0;
  #files = [];
  #next = 0;
  /** Of the file that is being written. */
  #descriptor = null;
  #left = 0;
  #made = new Set();
  /** A FunctionError, once something went wrong. */
  trouble = null;

  /** @param bundle that of Load */
  constructor({ folder, entry, length }) {
    if (typeof folder !== 'string' || typeof entry !== 'string' || !Number.isInteger(length)) throw new ProtocolError('Load is incomplete');
    this.#folder = folder;
    this.#missing = length;
  }

  /** @returns whether that was all of it */
  feed(data) {
    this.#missing -= data.length;
    if (this.#missing < 0) throw new ProtocolError('more of the bundle came than Load announced');
    const isLast = this.#missing === 0;
    if (this.trouble !== null) return isLast;
    try {
      this.#write(this.#line === null ? data : this.#readLine(data));
      if (isLast && (this.#line !== null || this.#descriptor !== null)) throw new Error('it is shorter than its manifest says');
    } catch (error) {
      this.trouble = new FunctionError('BundleError', `the bundle could not be unpacked: ${error?.message}`);
    }
    return isLast;
  }

  /** @returns what comes after it */
  #readLine(data) {
    const end = data.indexOf(LINE_END);
    this.#line.push(Buffer.from(end < 0 ? data : data.subarray(0, end)));
    this.#lineBytes += data.length;
    if (end < 0) {
      if (this.#lineBytes > LONGEST_MANIFEST) throw new Error('it has no manifest');
      return data.subarray(data.length);
    }
    mkdirSync(this.#folder, { recursive: true });
    this.#files = JSON.parse(Buffer.concat(this.#line).toString()).files;
    this.#line = null;
    this.#open();
    return data.subarray(end + 1);
  }

  #write(data) {
    let at = 0;
    while (at < data.length && this.#descriptor !== null) {
      const written = writeSync(this.#descriptor, data, at, Math.min(this.#left, data.length - at));
      at += written;
      this.#left -= written;
      if (this.#left > 0) continue;
      closeSync(this.#descriptor);
      this.#open();
    }
    if (at < data.length) throw new Error('it is longer than its manifest says');
  }

  /** The next file that holds something; makes the empty ones before it. */
  #open() {
    this.#descriptor = null;
    while (this.#descriptor === null && this.#next < this.#files.length) {
      const { path, size, executable } = this.#files[this.#next++];
      const file = join(this.#folder, path);
      const folder = dirname(file);
      if (!this.#made.has(folder)) mkdirSync(folder, { recursive: true });
      this.#made.add(folder);
      const descriptor = openSync(file, 'wx', executable ? 0o555 : 0o444);
      if (size === 0) closeSync(descriptor);
      else [this.#descriptor, this.#left] = [descriptor, size];
    }
  }
}

/** Where the function's own file is. */
export function entryPath({ folder, entry }) {
  return join(folder, entry);
}

/**
 * Which of the modules doesn't parse: Node.js itself says so of uncaught errors only. It goes in front of the stack, as it does there.
 * @param error what the import of a bundle's entry has thrown @param urls of the modules that it has loaded
 */
export function nameBroken(error, urls) {
  if (!(error instanceof SyntaxError) || !/^SyntaxError: .*\n +at compileSourceTextModule /.test(error.stack)) return;
  for (const url of urls) {
    try {
      stripTypeScriptTypes(readFileSync(new URL(url), 'utf8'));
    } catch ({ stack }) {
      const [, line] = /^:(\d+)\n|\n *(\d+) \|.*\n *: +\^/.exec(stack)?.filter((part) => part !== undefined) ?? [];
      error.stack = `${url}${line === undefined ? '' : `:${line}`}\n${error.stack}`;
      return;
    }
  }
}
