import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthError } from '../errors.ts';
import type { SandboxDriver } from '../sandbox/driver.ts';

const TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 64 * 1024;

export interface CodeInspection {
  style: 'script' | 'handler';
  /** The handler is an `async def`. */
  asynchronous: boolean;
}

export interface InspectorParts {
  driver: Pick<SandboxDriver, 'build'>;
  /** Text of runtimes/python/inspect_code.py. */
  inspectorSource: string;
  /** An existing folder of the platform's own, for what the driver needs on disk. */
  workFolder: string;
}

/**
 * Parses a function's source in a sandbox, with the interpreter that will run it, so that what it accepts is what will load.
 * @returns a function that throws HearthError invalid_code naming the line
 */
export function createCodeInspector(parts: InspectorParts): (code: string) => Promise<CodeInspection> {
  return async (code) => {
    const id = `inspect-${randomUUID()}`;
    const outputFolder = join(parts.workFolder, id);
    const chunks: Buffer[] = [];
    let bytes = 0;
    const result = await parts.driver
      .build({
        id,
        argv: ['python', '/input/inspect_code.py', '/input/function.py'],
        environment: {},
        outputFolder,
        inputs: { 'inspect_code.py': parts.inspectorSource, 'function.py': code },
        network: 'none',
        timeoutMs: TIMEOUT_MS,
        onOutput: (chunk) => {
          bytes += chunk.length;
          if (bytes <= MAX_OUTPUT_BYTES) chunks.push(chunk);
        },
      })
      .finally(() => rm(outputFolder, { recursive: true, force: true }));
    const output = Buffer.concat(chunks).toString('utf8');
    if (result.code !== 0) {
      throw new HearthError(
        'invalid_code',
        `The code could not be parsed: ${result.timedOut ? `that took more than ${TIMEOUT_MS} ms` : `the parser ended with ${output.trim().slice(-500) || 'a crash'}`}.`,
      );
    }
    return readInspection(output);
  };
}

/** What comes out of the sandbox is checked like everything that does. */
function readInspection(output: string): CodeInspection {
  // Warnings of the parser (an invalid escape, say) come before the last line.
  const value: unknown = JSON.parse(output.trimEnd().split('\n').at(-1) ?? 'null');
  if (typeof value !== 'object' || value === null) throw new Error(`the code inspector printed ${output.slice(0, 200)}`);
  const { style, asynchronous, error } = value as Record<string, unknown>;
  if (typeof error === 'object' && error !== null) {
    const { message, line } = error as Record<string, unknown>;
    const where = typeof line === 'number' ? ` in line ${line}` : '';
    throw new HearthError('invalid_code', `The code is no Python that this interpreter accepts: ${String(message)}${where}.`, {
      extra: { line: line ?? null },
    });
  }
  if (style !== 'script' && style !== 'handler') throw new Error(`the code inspector printed ${output.slice(0, 200)}`);
  return { style, asynchronous: asynchronous === true };
}
