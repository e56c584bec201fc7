import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthError } from '../errors.ts';
import type { SandboxDriver } from '../sandbox/driver.ts';
import type { ModuleForm } from '../schemas/function.ts';
import { type RuntimeName, runtimeFamily } from '../schemas/runtime-name.ts';
import type { ModuleFile } from './module-file.ts';

const TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 64 * 1024;

export interface CodeInspection {
  style: 'script' | 'handler';
  /** The handler is asynchronous, or may be. */
  asynchronous: boolean;
  /** Null for Python. */
  module: ModuleForm | null;
}

export interface InspectorParts {
  driver: Pick<SandboxDriver, 'build'>;
  /** Text of runtimes/python/inspect_code.py. */
  inspectorSource: string;
  /** Files of the inspector of Node.js, `inspect-code.mjs` among them. */
  nodeInspector: Readonly<Record<string, string>>;
  /** An existing folder of the platform's own, for what the driver needs on disk. */
  workFolder: string;
}

/** Where TypeScript's JavaScript is written. */
const COMPILED = 'function.js';
/** Types go, and leave spaces: it is as long as the source. UTF-8 has 4 bytes a character at most. */
const MAX_COMPILED_BYTES = 4 * 1024 * 1024;

/**
 * Parses a function's source in a sandbox, with the interpreter that will run it, so that what it accepts is what will load.
 * @returns a function that throws HearthError invalid_code naming the line; its `file` is null for code that is no file of a bundle of Node.js
 */
export function createCodeInspector(parts: InspectorParts): (code: string, runtime: RuntimeName, file: ModuleFile | null) => Promise<CodeInspection> {
  return async (code, runtime, file) => {
    const id = `inspect-${randomUUID()}`;
    const outputFolder = join(parts.workFolder, id);
    const isPython = runtimeFamily(runtime) === 'python';
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      const result = await parts.driver.build({
        id,
        runtime,
        ...(isPython
          ? {
              argv: ['python', '/input/inspect_code.py', '/input/function.py'],
              inputs: { 'inspect_code.py': parts.inspectorSource, 'function.py': code },
            }
          : {
              argv: [
                ...['node', '--experimental-vm-modules', '--no-warnings', '/input/inspect-code.mjs', '/input/function.txt', `/build/${COMPILED}`],
                ...(file === null ? [] : [file.typescript ? 'typescript' : 'javascript', file.format ?? 'any']),
              ],
              inputs: { ...parts.nodeInspector, 'function.txt': code },
            }),
        environment: {},
        outputFolder,
        network: 'none',
        timeoutMs: TIMEOUT_MS,
        onOutput: (chunk) => {
          bytes += chunk.length;
          if (bytes <= MAX_OUTPUT_BYTES) chunks.push(chunk);
        },
      });
      const output = Buffer.concat(chunks).toString('utf8');
      if (result.code !== 0) {
        throw new HearthError(
          'invalid_code',
          `The code could not be parsed: ${result.timedOut ? `that took more than ${TIMEOUT_MS} ms` : `the parser ended with ${output.trim().slice(-500) || 'a crash'}`}.`,
        );
      }
      const found = readOutput(output, isPython ? 'Python' : 'JavaScript or TypeScript');
      if (isPython) return { ...inspectionOf(found, output), module: null };
      // The files of a bundle are loaded by Node.js, which takes out the types itself.
      return { ...inspectionOf(found, output), module: await moduleForm(file === null ? found : { ...found, typescript: false }, outputFolder) };
    } finally {
      await rm(outputFolder, { recursive: true, force: true });
    }
  };
}

/** What comes out of the sandbox is checked like everything that does. @throws HearthError invalid_code */
function readOutput(output: string, language: string): Record<string, unknown> {
  // Warnings of the parser (an invalid escape, say) come before the last line.
  const value: unknown = JSON.parse(output.trimEnd().split('\n').at(-1) ?? 'null');
  if (typeof value !== 'object' || value === null) throw new Error(`the code inspector printed ${output.slice(0, 200)}`);
  const { error } = value as Record<string, unknown>;
  if (typeof error === 'object' && error !== null) {
    const { message, line } = error as Record<string, unknown>;
    const where = typeof line === 'number' ? ` in line ${line}` : '';
    throw new HearthError('invalid_code', `The code is no ${language} that this interpreter accepts: ${String(message)}${where}.`, {
      extra: { line: line ?? null },
    });
  }
  return value as Record<string, unknown>;
}

function inspectionOf({ style, asynchronous }: Record<string, unknown>, output: string): Pick<CodeInspection, 'style' | 'asynchronous'> {
  if (style !== 'script' && style !== 'handler') throw new Error(`the code inspector printed ${output.slice(0, 200)}`);
  return { style, asynchronous: asynchronous === true };
}

async function moduleForm({ format, web, typescript, shape }: Record<string, unknown>, outputFolder: string): Promise<ModuleForm> {
  const compiled = typescript === true ? await readCompiled(join(outputFolder, COMPILED)) : null;
  const form: ModuleForm = { format: format === 'module' ? 'module' : 'commonjs', web: web === true, compiled };
  return shape === 'openfaas' || shape === 'openwhisk' ? { ...form, shape } : form;
}

/** Made by the sandbox, which may have put anything in its place. */
async function readCompiled(file: string): Promise<string> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    if (!stats.isFile() || stats.size > MAX_COMPILED_BYTES) throw new Error('the code inspector wrote no file of a sane size');
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
