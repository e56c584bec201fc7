import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { FunctionDefinition } from '../../src/schemas/function.ts';
import { platformImports } from './bundled-platform.ts';

const BIN = fileURLToPath(new URL('../../bin/hearth.js', import.meta.url));
/** What a platform has made of the agents, in folders named by their content: those that come after find it made. */
const COMPILED_AGENTS = fileURLToPath(new URL('../../node_modules/.cache/hearth-test-agents', import.meta.url));

/** 32 bytes in base64. */
const NODES_KEY = Buffer.alloc(32, 'of all nodes of a cluster').toString('base64');

export interface HearthOptions {
  /** HEARTH_… settings. */
  settings?: Record<string, string>;
  /** Text of the default requirements; none by default, so that a start is quick. */
  requirements?: string;
  /** A data folder to start from; a fresh one by default, deleted at the end. */
  dataFolder?: string;
}

/** The record of an invocation as the control plane gives it. */
export interface RecordOnTheWire {
  id: string;
  state: string;
  status: number | null;
  error_code: string | null;
  error_message: string | null;
  instance_id: string | null;
  logs: string | null;
  run_ms: number;
  version: number;
}

/** A platform as its user starts it: `hearth up` in a process of its own, on free ports. Dispose of it with `await using`. */
export class Hearth {
  readonly child: ChildProcess;
  readonly dataFolder: string;
  readonly #ownsData: boolean;
  output = '';
  gateway = '';
  api = '';

  private constructor(child: ChildProcess, dataFolder: string, ownsData: boolean) {
    this.child = child;
    this.dataFolder = dataFolder;
    this.#ownsData = ownsData;
  }

  static async start(options: HearthOptions = {}): Promise<Hearth> {
    const dataFolder = options.dataFolder ?? (await mkdtemp(join(tmpdir(), 'hearth-data-')));
    const requirements = join(dataFolder, 'requirements.txt');
    await writeFile(requirements, options.requirements ?? '');
    const hasAgents = existsSync(COMPILED_AGENTS);
    if (options.dataFolder === undefined && hasAgents) await linkTree(COMPILED_AGENTS, join(dataFolder, 'runtime'));
    const child = spawn(process.execPath, [...(await platformImports()), BIN, 'up'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        ...Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('PIP_') || name.endsWith('_proxy'))),
        HEARTH_DATA_DIR: dataFolder,
        HEARTH_GATEWAY_PORT: '0',
        HEARTH_API_PORT: '0',
        HEARTH_LAYERS_REQUIREMENTS: requirements,
        ...options.settings,
      },
    });
    const hearth = new Hearth(child, dataFolder, options.dataFolder === undefined);
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (hearth.output += text));
    const deadline = Date.now() + 240_000;
    for (;;) {
      const urls = /Gateway {8}(\S+)\n {2}Control plane {2}(\S+)/.exec(hearth.output);
      if (urls) {
        [, hearth.gateway, hearth.api] = urls as unknown as [string, string, string];
        if (!hasAgents) await keepAgents(join(dataFolder, 'runtime'));
        return hearth;
      }
      if (child.exitCode !== null || Date.now() > deadline) {
        child.kill('SIGKILL');
        throw new Error(`the platform did not start (exit code ${child.exitCode}):\n${hearth.output}`);
      }
      await sleep(20);
    }
  }

  /** A node of the cluster that has this database, with a key of secrets that all nodes have; with that broker, if there is one. */
  static startNode(database: string, options: HearthOptions = {}, amqp = ''): Promise<Hearth> {
    const settings = { HEARTH_DATABASE_URL: database, HEARTH_SECRETS_KEY: NODES_KEY, ...(amqp === '' ? {} : { HEARTH_AMQP_URL: amqp }) };
    return Hearth.start({ ...options, settings: { ...settings, ...options.settings } });
  }

  async register(definition: FunctionDefinition): Promise<Record<string, unknown>> {
    const response = await this.post('/functions', definition);
    const body = (await response.json()) as Record<string, unknown>;
    if (response.status !== 200) throw new Error(`POST /functions: ${response.status} ${JSON.stringify(body)}`);
    return body;
  }

  /** Registers some code under its own path, whatever the method. */
  async define(name: string, code: string, settings: Partial<FunctionDefinition> = {}): Promise<void> {
    await this.register({ event_type: `http|*|/${name}`, function_name: name, function_code: code, ...settings });
  }

  call(path: string, init?: RequestInit): Promise<Response> {
    return fetch(this.gateway + path, init);
  }

  post(path: string, body: unknown): Promise<Response> {
    return fetch(this.api + path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  }

  async get(path: string): Promise<unknown> {
    return (await fetch(this.api + path)).json();
  }

  /** The record of an answered invocation, once it is written. */
  async record(response: Response): Promise<RecordOnTheWire> {
    const id = response.headers.get('x-correlation-id');
    if (!id) throw new Error(`no X-Correlation-Id on ${response.status}`);
    return this.recordWhere((record) => record.id === id);
  }

  async recordWhere(matches: (record: RecordOnTheWire) => boolean): Promise<RecordOnTheWire> {
    return until(async () => {
      const { invocations } = (await this.get('/invocations?limit=1000')) as { invocations: RecordOnTheWire[] };
      const found = invocations.find(matches);
      // The list leaves out what may be long.
      return found && ((await this.get(`/invocations/${found.id}`)) as RecordOnTheWire);
    });
  }

  async instances(functionName?: string): Promise<{ id: string; function_name: string; state: string; version: number }[]> {
    const { instances } = (await this.get(`/functions/instances${functionName ? `?function_name=${functionName}` : ''}`)) as { instances: never[] };
    return instances;
  }

  /** Sends bytes as they are and returns everything that comes back until the connection ends, or until `enough` says so. */
  async raw(text: string | Buffer, enough: (soFar: string) => boolean = () => false): Promise<string> {
    const { hostname, port } = new URL(this.gateway);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    let received = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      received += chunk;
      if (enough(received)) socket.destroy();
    });
    socket.write(text);
    await once(socket, 'close');
    return received;
  }

  /** SIGTERM; @returns the exit code */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill(signal);
      await once(this.child, 'exit');
    }
    return this.child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 20_000);
    await this.stop();
    clearTimeout(timer);
    if (this.#ownsData) await rm(this.dataFolder, { recursive: true, force: true });
  }
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Asks again until there is an answer; the bound is for a test that would else hang, not a promise of speed. */
export async function until<T>(probe: () => T | undefined | false | null | Promise<T | undefined | false | null>, timeoutMs = 30_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`what was waited for did not come within ${timeoutMs} ms: ${probe}`);
    await sleep(20);
  }
}

/** The JSON object of a response. */
export async function json(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

/** As hard links, where both are on one file system: nobody writes to these files. */
async function linkTree(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-al', from, to]).catch(() => rm(to, { recursive: true, force: true }));
}

async function keepAgents(folder: string): Promise<void> {
  const partial = `${COMPILED_AGENTS}.${process.pid}`;
  await promisify(execFile)('cp', ['-a', folder, partial]);
  // Somebody else may have been first.
  await rename(partial, COMPILED_AGENTS).catch(() => rm(partial, { recursive: true, force: true }));
}
