import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from './client.ts';
import type { Request } from './wrk.ts';

export interface FirstCall {
  milliseconds: number;
  /** The platform's own account: boot of the sandbox, loading of the function, run. Milliseconds. */
  start: number;
  init: number;
  run: number;
}

/**
 * Calls each function once, one after another, over one connection, which a call of `opener` has opened.
 * @param gapMs milliseconds before each call, in which the platform may boot a sandbox in place of the one that the call before took
 * @throws Error when a call failed or met an instance that was there already
 */
export async function firstCalls(requests: readonly Request[], opener: Request, gapMs: number): Promise<FirstCall[]> {
  using client = new Client();
  await client.post(opener);
  const calls: FirstCall[] = [];
  for (const request of requests) {
    if (gapMs > 0) await sleep(gapMs);
    const { milliseconds, headers } = await client.post(request);
    if (headers['x-hearth-start'] !== 'cold') throw new Error(`${request.url} was to start cold, and was ${headers['x-hearth-start']}`);
    const timing = String(headers['server-timing']);
    const part = (name: string): number => Number(new RegExp(`${name};dur=([\\d.]+)`).exec(timing)?.[1]);
    calls.push({ milliseconds, start: part('start'), init: part('init'), run: part('run') });
  }
  return calls;
}
