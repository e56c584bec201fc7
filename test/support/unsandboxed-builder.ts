import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BuildResult, BuildSpec, SandboxDriver } from '../../src/sandbox/driver.ts';

/**
 * Runs builds as they are, with no isolation: what a driver's `build` does, for tests of what is around it. `/build` and `/input` of a spec
 * are replaced by real folders; `python` is the given interpreter.
 */
export function unsandboxedBuilder(python = 'python3'): Pick<SandboxDriver, 'build'> & { readonly built: string[] } {
  const built: string[] = [];
  return {
    built,
    async build(spec: BuildSpec): Promise<BuildResult> {
      built.push(spec.id);
      if (spec.signal?.aborted) return { code: null, timedOut: false };
      const input = await mkdtemp(join(tmpdir(), 'hearth-build-input-'));
      try {
        await mkdir(spec.outputFolder);
        for (const [name, text] of Object.entries(spec.inputs)) await writeFile(join(input, name), text);
        return await run(spec, python, input);
      } finally {
        await rm(input, { recursive: true, force: true });
      }
    },
  };
}

function run(spec: BuildSpec, python: string, input: string): Promise<BuildResult> {
  const real = (text: string) => text.replace(/^\/input(?=\/|$)/, input).replace(/^\/build(?=\/|$)/, spec.outputFolder);
  const [command = '', ...args] = spec.argv.map((argument) => (argument === 'python' ? python : real(argument)));
  const environment = Object.entries(spec.environment).map(([name, value]) => [name, real(value)]);
  const { promise, resolve, reject } = Promise.withResolvers<BuildResult>();
  // A group of its own, so that the build's children die with it.
  const child = spawn(command, args, {
    cwd: spec.outputFolder,
    env: { PATH: process.env.PATH, ...Object.fromEntries(environment) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let timedOut = false;
  const kill = () => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, spec.timeoutMs);
  spec.signal?.addEventListener('abort', kill, { once: true });
  child.stdout.on('data', spec.onOutput);
  child.stderr.on('data', spec.onOutput);
  child.on('error', reject);
  child.on('close', (code) => resolve({ code, timedOut }));
  return promise.finally(() => {
    clearTimeout(timer);
    spec.signal?.removeEventListener('abort', kill);
  });
}
