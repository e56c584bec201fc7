import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createBubblewrapDriver } from '../../../src/sandbox/bubblewrap/bubblewrap-driver.ts';
import type { NetworkMode, Sandbox, SandboxSpec } from '../../../src/sandbox/driver.ts';
import { createNursery, type Nursery, type NurseryOptions } from '../../../src/sandbox/nursery/nursery-driver.ts';
import type { DriverOptions } from '../../../src/sandbox/options.ts';

const AGENTS = fileURLToPath(new URL('fixtures/agent', import.meta.url));
const ZYGOTE = fileURLToPath(new URL('../../../runtimes/python/zygote', import.meta.url));
/** The system's, so that the tests don't depend on whose python3 comes first. */
const PYTHON = '/usr/bin/python3';
export const IS_ROOT = process.getuid?.() === 0;

export function driverOptions(options: Partial<DriverOptions> = {}): DriverOptions {
  const quiet = { warn: () => undefined, debug: () => undefined };
  return { python: PYTHON, agentFolder: AGENTS, agentEntry: 'eval.py', path: '/usr/sbin:/usr/bin:/sbin:/bin', log: quiet, ...options };
}

/** A nursery over bubblewrap; zygotes have user ids of their own range. */
export function nurseryWith(options: Partial<NurseryOptions> = {}, zygoteFolder = ZYGOTE): Nursery {
  const all = { ...driverOptions(options), ...options, zygoteFolder };
  return createNursery(all, createBubblewrapDriver(all));
}

let count = 0;
export function sandboxSpec(network: NetworkMode = 'none', spec: Partial<SandboxSpec> = {}): SandboxSpec {
  return { id: `test-${process.pid}-${count++}`, runtime: 'python', layers: [], network, tmpBytes: 4 * 1024 * 1024, ...spec };
}

/** Runs Python in the sandbox, whose agent is eval.py, and returns what it left in `result`. */
export class Inside {
  readonly #channel: Sandbox['channel'];
  #text = '';

  constructor({ channel }: Sandbox) {
    this.#channel = channel;
    channel.setEncoding('utf8');
  }

  async run(code: string): Promise<unknown> {
    this.#channel.write(`${JSON.stringify(code)}\n`);
    let line = await this.#line();
    if (line === '"hello"') line = await this.#line();
    const answer: { result?: unknown; error?: string } = JSON.parse(line);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result;
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf('\n');
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const chunk: string | null = this.#channel.read();
      if (chunk !== null) this.#text += chunk;
      else if (this.#channel.readableEnded) throw new Error('the channel ended');
      else await once(this.#channel, 'readable');
    }
  }
}

/** Processes whose real user id is in [from, to). */
export function processesOfUsers(from: number, to: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (Number.isNaN(pid)) return false;
      const uid = Number(/^Uid:\t(\d+)/m.exec(statusOf(pid))?.[1] ?? Number.NaN);
      return uid >= from && uid < to && !/^State:\t[ZX]/m.test(statusOf(pid));
    });
}

export function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

/** Polls until it holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** Mount points of the host, to compare before and after. */
export function mountPoints(): string {
  return execFileSync('cat', ['/proc/self/mountinfo'], { encoding: 'utf8' });
}
