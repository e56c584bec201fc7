import { watch } from 'node:fs';
import { resolve } from 'node:path';
import { printable } from '../printable.ts';
import type { Target } from './api-client.ts';
import { messageOf } from './cli-error.ts';
import { deployProject, describe, tellWarnings } from './deploy/deploy.ts';
import { logs } from './functions/logs.ts';
import { bad, dim } from './print.ts';

type DevOptions = Target & { gateway: string; json?: boolean };

/** Editors write a file in several steps. */
const QUIET_MS = 40;
const NOT_OURS = /(^|\/)(\.git|node_modules|__pycache__)(\/|$)|~$|\.sw.$/;

/** `hearth dev`: deploys a project, again whenever one of its files changes, and prints what its functions print. Ends with Ctrl-C. */
export async function dev(folder: string | undefined, options: DevOptions): Promise<void> {
  const root = resolve(folder ?? '.');
  const deployer = new Deployer(root, options);
  // Before the first deploy: what is saved meanwhile counts.
  const watcher = watch(root, { recursive: true }, (_, file) => {
    if (file !== null && !NOT_OURS.test(file)) deployer.soon();
  });
  const broken = new Promise<never>((_, reject) => watcher.once('error', reject));
  try {
    await deployer.now();
    await Promise.race([broken, logs(undefined, { ...options, follow: true, last: 0 })]);
  } finally {
    watcher.close();
    deployer.stop();
  }
}

/** One deploy at a time; what changes meanwhile is deployed next. */
class Deployer {
  readonly #root: string;
  readonly #options: DevOptions;
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #again = false;

  constructor(root: string, options: DevOptions) {
    this.#root = root;
    this.#options = options;
  }

  soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.now(), QUIET_MS);
  }

  /** Never rejects: a mistake is told, and the next save is the next try. */
  async now(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    const began = performance.now();
    try {
      const done = await deployProject(this.#root, this.#options);
      const ms = Math.round(performance.now() - began);
      if (this.#options.json) process.stdout.write(`${JSON.stringify({ event: 'deployed', ms, ...done })}\n`);
      else process.stdout.write(`${describe(done)}${dim(`deployed in ${ms} ms`)}\n`);
      tellWarnings(done);
    } catch (error) {
      const text = messageOf(error) ?? String(error instanceof Error ? error.stack : error);
      if (this.#options.json) process.stdout.write(`${JSON.stringify({ event: 'refused', message: text })}\n`);
      process.stderr.write(`${bad('hearth:')} ${printable(text)}\n`);
    }
    this.#running = false;
    if (this.#again) this.soon();
    this.#again = false;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
