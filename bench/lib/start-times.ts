import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createBubblewrapDriver } from '../../src/sandbox/bubblewrap/bubblewrap-driver.ts';
import type { NetworkMode } from '../../src/sandbox/driver.ts';
import { ROOT } from './folders.ts';
import { millisecondsSince } from './statistics.ts';

const PYTHON = '/usr/bin/python3';

/** Milliseconds from the driver's `create` to the agent's Hello, one sandbox at a time; null when the network mode can't be had here. */
export async function sandboxStarts(network: NetworkMode, count: number): Promise<number[] | null> {
  const quiet = { warn: () => undefined, debug: () => undefined };
  const path = process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin';
  const driver = createBubblewrapDriver({ python: PYTHON, agentFolder: `${ROOT}runtimes/python/agent`, agentEntry: '__main__.py', path, log: quiet });
  try {
    const failed = (await driver.probe()).filter(({ ok, name }) => !ok && !name.startsWith('network') && name !== 'pip');
    if (failed.length > 0) throw new Error(failed.map(({ name, detail }) => `${name}: ${detail}`).join('; '));
    if (!driver.networks().includes(network)) return null;
    const times: number[] = [];
    for (let index = 0; index < count; index++) {
      const start = process.hrtime.bigint();
      const sandbox = await driver.create({
        id: `bench-${process.pid}-${network}-${index}`,
        runtime: 'python',
        layers: [],
        network,
        tmpBytes: 64 * 1024 * 1024,
      });
      await once(sandbox.channel, 'data');
      times.push(millisecondsSince(start));
      sandbox.kill();
      await sandbox.exited;
    }
    return times;
  } finally {
    await driver.close();
  }
}

/** Milliseconds that an interpreter takes to start, do nothing and end: the floor under whatever boots one. */
export async function interpreterStarts(count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const start = process.hrtime.bigint();
    const [code] = (await once(spawn(PYTHON, ['-I', '-c', 'pass'], { stdio: 'ignore' }), 'exit')) as [number];
    times.push(millisecondsSince(start));
    if (code !== 0) throw new Error(`${PYTHON} -c pass ended with ${code}`);
  }
  return times;
}
