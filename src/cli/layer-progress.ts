import { setTimeout as sleep } from 'node:timers/promises';
import { call, type Target } from './api-client.ts';
import { Progress } from './progress.ts';

const LOOK_MS = 400;

/**
 * Does what may have the platform build layers; a terminal is shown meanwhile what their installers say. Others wait without asking for it.
 * @param what the work, for as long as nothing is built
 */
export async function whileLayersBuild<T>(what: string, target: Target, work: () => Promise<T>): Promise<T> {
  using progress = new Progress(what);
  const done = new AbortController();
  const watching = progress.isSeen ? watch(what, target, progress, done.signal) : undefined;
  try {
    return await work();
  } finally {
    done.abort();
    await watching;
  }
}

/** Until it is told that the work is over. What goes wrong here is no failure of the work. */
async function watch(what: string, target: Target, progress: Progress, done: AbortSignal): Promise<void> {
  while (!done.aborted) {
    await sleep(LOOK_MS, undefined, { signal: done }).catch(() => undefined);
    if (done.aborted) return;
    const found = await call(target, 'GET /layers', { signal: done }).catch(() => undefined);
    const building = found?.layers.filter(({ state }) => state === 'building') ?? [];
    // They are built one at a time, in the order in which they were asked for; only the one at work says something.
    const busy = building.find(({ output }) => output !== '') ?? building.at(-1);
    const said = busy?.output.trimEnd().split('\n').at(-1);
    progress.say(busy === undefined ? what : `${what}: building libraries${said ? `: ${said}` : ''}`);
  }
}
