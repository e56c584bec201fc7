import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FunctionDefinition } from '../../src/schemas/function.ts';
import { Child } from './child.ts';
import { CACHE, ROOT } from './folders.ts';
import { freePort } from './free-port.ts';
import { runCommand } from './run-command.ts';
import { millisecondsSince } from './statistics.ts';

export interface PlatformOptions {
  /** The default libraries of functions; built once, kept in the cache, and copied into each platform's data folder. */
  libraries: boolean;
  /** Arguments of Node.js itself. */
  nodeArguments?: readonly string[];
  /** Settings that a case is about: HEARTH_… variables. */
  environment?: Readonly<Record<string, string>>;
  /** A data folder that is copied for this platform, in place of one with nothing but the libraries (lib/seed.ts). */
  dataFrom?: string;
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
  /** Of its Node.js process. */
  readonly pid: number;
  /** Milliseconds from the spawn of `hearth up` to the gateway's first answer to a request. */
  readonly gatewayMs: number;

  private constructor(child: Child, folder: string, greeting: RegExpExecArray, gatewayMs: number) {
    this.#child = child;
    this.#folder = folder;
    this.pid = child.process.pid as number;
    this.gatewayMs = gatewayMs;
    this.isolation = `${greeting[1]}, network ${greeting[2]}`;
    this.gateway = greeting[3] as string;
    this.api = greeting[4] as string;
  }

  static async start(options: PlatformOptions): Promise<BenchPlatform> {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-bench-'));
    const data = join(folder, 'data');
    // cp keeps owners and times; a copy of the libraries is a matter of a second, their installation one of a minute.
    const original = options.dataFrom ?? (options.libraries ? await dataFolderWithLibraries() : null);
    if (original !== null) await runCommand('cp', ['-a', original, data]);
    return BenchPlatform.#startIn(folder, data, options);
  }

  /** SIGTERM, and its data folder as it left it. The caller removes what it is in. @returns how its process ended */
  static async runIn(
    folder: string,
    data: string,
    options: PlatformOptions,
    work: (platform: BenchPlatform) => Promise<void>,
  ): Promise<{ exitCode: number | null; signalCode: NodeJS.Signals | null }> {
    const platform = await BenchPlatform.#startIn(folder, data, options);
    try {
      await work(platform);
    } finally {
      await platform.#child[Symbol.asyncDispose]();
    }
    return platform.#child.process;
  }

  static async #startIn(folder: string, data: string, { libraries, nodeArguments = [], environment = {} }: PlatformOptions): Promise<BenchPlatform> {
    const logFile = join(folder, 'log');
    await using log = await open(logFile, 'w');
    const port = await freePort();
    const start = process.hrtime.bigint();
    const child = new Child(process.execPath, [...nodeArguments, join(ROOT, 'bin/hearth.js'), 'up'], {
      stdio: ['ignore', log.fd, log.fd],
      env: {
        PATH: process.env.PATH,
        ...Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('PIP_') || name.toLowerCase().endsWith('_proxy'))),
        HEARTH_DATA_DIR: data,
        HEARTH_GATEWAY_PORT: String(port),
        HEARTH_API_PORT: '0',
        ...(libraries ? {} : { HEARTH_LAYERS_REQUIREMENTS: '/dev/null' }),
        ...environment,
      },
    });
    const deadline = Date.now() + 600_000;
    let gatewayMs: number | null = null;
    for (;;) {
      if (gatewayMs === null && (await answers(port))) gatewayMs = millisecondsSince(start);
      const output = await readFile(logFile, 'utf8');
      const greeting = /is up\. Driver: (.+?); network of functions: (\S+)\.\n\n {2}Gateway {8}(\S+)\n {2}Control plane {2}(\S+)/.exec(output);
      if (greeting && gatewayMs !== null) return new BenchPlatform(child, folder, greeting, gatewayMs);
      if (!child.running || Date.now() > deadline) {
        await child[Symbol.asyncDispose]();
        await rm(folder, { recursive: true, force: true });
        throw new Error(`the platform did not start:\n${output}`);
      }
      await sleep(gatewayMs === null ? 5 : 50);
    }
  }

  /** Builds the default libraries in a data folder of their own, once. */
  static async buildLibraries(destination: string): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-bench-'));
    const data = join(folder, 'data');
    try {
      await BenchPlatform.runIn(folder, data, { libraries: true }, async () => undefined);
      if ((await readdir(join(data, 'layers'))).length === 0) throw new Error('the platform came up without the default libraries');
      const partial = `${destination}.part-${process.pid}`;
      await runCommand('cp', ['-a', data, partial]);
      // Somebody else may have been first.
      await rename(partial, destination).catch(() => rm(partial, { recursive: true, force: true }));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Registers code under a path of its own. @returns the URL to call */
  async define(name: string, code: string, settings: Partial<FunctionDefinition> = {}): Promise<string> {
    return this.#register(name, { function_code: code, ...settings });
  }

  /** The same of a bundle. @param archive a tar.gz */
  async defineBundle(name: string, archive: Buffer<ArrayBuffer>, settings: Partial<FunctionDefinition>): Promise<string> {
    const { bundle } = (await this.#post('/bundles', 'application/gzip', archive)) as { bundle: string };
    return this.#register(name, { bundle, ...settings });
  }

  async #register(name: string, settings: Partial<FunctionDefinition>): Promise<string> {
    const definition: FunctionDefinition = { event_type: `http|POST|/${name}`, function_name: name, ...settings };
    await this.#post('/functions', 'application/json', JSON.stringify(definition));
    return `${this.gateway}/${name}`;
  }

  async #post(path: string, contentType: string, body: string | Buffer<ArrayBuffer>): Promise<unknown> {
    const response = await fetch(this.api + path, { method: 'POST', headers: { 'Content-Type': contentType }, body });
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** Live instances of that function, up to 1000. */
  async instancesOf(name: string): Promise<number> {
    const response = await fetch(`${this.api}/functions/instances?limit=1000`);
    if (!response.ok) throw new Error(`GET /functions/instances: ${response.status} ${await response.text()}`);
    const { instances } = (await response.json()) as { instances: { function_name: string; stopped_at: number | null }[] };
    return instances.filter((one) => one.function_name === name && one.stopped_at === null).length;
  }

  /** SIGTERM, and the end of everything it started. Says what it warned of. @throws Error with the end of its log when it had ended by itself */
  async [Symbol.asyncDispose](): Promise<void> {
    const { running } = this.#child;
    await this.#child[Symbol.asyncDispose]();
    const log = await readFile(join(this.#folder, 'log'), 'utf8');
    await rm(this.#folder, { recursive: true, force: true });
    const { exitCode, signalCode } = this.#child.process;
    if (!running) throw new Error(`the platform ended by itself (${signalCode ?? exitCode}); the end of its log:\n${log.slice(-3000)}`);
    const warnings = log.split('\n').filter((line) => /"level":(40|50|60)/.test(line));
    if (warnings.length > 0) process.stderr.write(`bench: the platform warned ${warnings.length} time(s), first: ${warnings[0]?.slice(0, 600)}\n`);
  }
}

/** Whatever it answers: it is there. */
function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/`).then(
    async (response) => {
      await response.arrayBuffer();
      return true;
    },
    () => false,
  );
}

/** A data folder in which the default libraries stand, to be copied. Made anew when requirements.functions.txt has changed. */
export async function dataFolderWithLibraries(): Promise<string> {
  const requirements = await readFile(join(ROOT, 'requirements.functions.txt'), 'utf8');
  const folder = join(CACHE, `data-${createHash('sha256').update(requirements).digest('hex').slice(0, 12)}`);
  if (!existsSync(folder)) {
    await mkdir(CACHE, { recursive: true });
    await BenchPlatform.buildLibraries(folder);
  }
  return folder;
}
