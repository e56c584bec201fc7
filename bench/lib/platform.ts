import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FunctionDefinition } from '../../src/schemas/function.ts';
import { Child } from './child.ts';
import { CACHE, ROOT } from './folders.ts';
import { runCommand } from './run-command.ts';

export interface PlatformOptions {
  /** The default libraries of functions; built once, kept in the cache, and copied into each platform's data folder. */
  libraries: boolean;
  /** Arguments of Node.js itself. */
  nodeArguments?: readonly string[];
}

/**
 * A platform as its user starts it: `hearth up` in a process of its own, settings by default but for ports, data folder and, with `libraries: false`, the
 * requirements. Its log, at the default level, goes to a file in the data folder.
 */
export class BenchPlatform implements AsyncDisposable {
  readonly #child: Child;
  readonly #folder: string;
  readonly gateway: string;
  readonly api: string;
  /** As its greeting says: driver and network of functions. */
  readonly isolation: string;

  private constructor(child: Child, folder: string, greeting: RegExpExecArray) {
    this.#child = child;
    this.#folder = folder;
    this.isolation = `${greeting[1]}, network ${greeting[2]}`;
    this.gateway = greeting[3] as string;
    this.api = greeting[4] as string;
  }

  static async start(options: PlatformOptions): Promise<BenchPlatform> {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-bench-'));
    const data = join(folder, 'data');
    // cp keeps owners and times; a copy of the libraries is a matter of a second, their installation one of a minute.
    if (options.libraries) await runCommand('cp', ['-a', await dataFolderWithLibraries(), data]);
    return BenchPlatform.#startIn(folder, data, options);
  }

  static async #startIn(folder: string, data: string, { libraries, nodeArguments = [] }: PlatformOptions): Promise<BenchPlatform> {
    const logFile = join(folder, 'log');
    await using log = await open(logFile, 'w');
    const child = new Child(process.execPath, [...nodeArguments, join(ROOT, 'bin/hearth.js'), 'up'], {
      stdio: ['ignore', log.fd, log.fd],
      env: {
        PATH: process.env.PATH,
        ...Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('PIP_') || name.toLowerCase().endsWith('_proxy'))),
        HEARTH_DATA_DIR: data,
        HEARTH_GATEWAY_PORT: '0',
        HEARTH_API_PORT: '0',
        ...(libraries ? {} : { HEARTH_LAYERS_REQUIREMENTS: '/dev/null' }),
      },
    });
    const deadline = Date.now() + 600_000;
    for (;;) {
      const output = await readFile(logFile, 'utf8');
      const greeting = /is up\. Driver: (.+?); network of functions: (\S+)\.\n\n {2}Gateway {8}(\S+)\n {2}Control plane {2}(\S+)/.exec(output);
      if (greeting) return new BenchPlatform(child, folder, greeting);
      if (!child.running || Date.now() > deadline) {
        await child[Symbol.asyncDispose]();
        await rm(folder, { recursive: true, force: true });
        throw new Error(`the platform did not start:\n${output}`);
      }
      await sleep(50);
    }
  }

  /** Builds the default libraries in a data folder of their own, once. */
  static async buildLibraries(destination: string): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-bench-'));
    const data = join(folder, 'data');
    try {
      const platform = await BenchPlatform.#startIn(folder, data, { libraries: true });
      await platform.#child[Symbol.asyncDispose]();
      if ((await readdir(join(data, 'layers'))).length === 0) throw new Error('the platform came up without the default libraries');
      await runCommand('cp', ['-a', data, `${destination}.part`]);
      await rename(`${destination}.part`, destination);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Registers code under a path of its own. @returns the URL to call */
  async define(name: string, code: string, settings: Partial<FunctionDefinition> = {}): Promise<string> {
    const definition: FunctionDefinition = { event_type: `http|POST|/${name}`, function_name: name, function_code: code, ...settings };
    const response = await fetch(`${this.api}/functions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(definition),
    });
    if (!response.ok) throw new Error(`POST /functions: ${response.status} ${await response.text()}`);
    return `${this.gateway}/${name}`;
  }

  /** SIGTERM, and the end of everything it started. @throws Error with the end of its log when it had ended by itself */
  async [Symbol.asyncDispose](): Promise<void> {
    const { running } = this.#child;
    await this.#child[Symbol.asyncDispose]();
    const log = running ? '' : await readFile(join(this.#folder, 'log'), 'utf8');
    await rm(this.#folder, { recursive: true, force: true });
    const { exitCode, signalCode } = this.#child.process;
    if (!running) throw new Error(`the platform ended by itself (${signalCode ?? exitCode}); the end of its log:\n${log.slice(-3000)}`);
  }
}

/** A data folder in which the default libraries stand, to be copied. Made anew when requirements.functions.txt has changed. */
async function dataFolderWithLibraries(): Promise<string> {
  const requirements = await readFile(join(ROOT, 'requirements.functions.txt'), 'utf8');
  const folder = join(CACHE, `data-${createHash('sha256').update(requirements).digest('hex').slice(0, 12)}`);
  if (!existsSync(folder)) {
    await mkdir(CACHE, { recursive: true });
    await rm(`${folder}.part`, { recursive: true, force: true });
    await BenchPlatform.buildLibraries(folder);
  }
  return folder;
}
