import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

const KEEPER = fileURLToPath(new URL('../../support/docker-keeper.ts', import.meta.url));

declare module 'vitest' {
  export interface ProvidedContext {
    /** Path of the socket at which the Docker Engine of the run is asked for. */
    dockerKeeper: string;
  }
}

/** Has a process of its own, in its own session, that outlives us for as long as it takes to end the engine. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-keeper-'));
  const socket = join(folder, 'keeper');
  const keeper = fork(KEEPER, [socket], { detached: true, stdio: 'ignore' });
  const [first] = await Promise.race([once(keeper, 'message'), once(keeper, 'exit')]);
  if (first !== 'listening') throw new Error(`the keeper of the Docker Engine ended with code ${first}`);
  project.provide('dockerKeeper', socket);
  return async () => {
    const ended = once(keeper, 'exit');
    keeper.disconnect();
    await ended;
  };
}
