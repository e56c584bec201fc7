import type { FunctionDefinition } from '../../src/schemas/function.ts';
import { Client } from './client.ts';
import type { BenchPlatform } from './platform.ts';

export interface FirstCall {
  milliseconds: number;
  /** The platform's own account: boot of the sandbox, loading of the function, run. Milliseconds. */
  start: number;
  init: number;
  run: number;
}

/**
 * Registers so many different functions, then calls each once, one after another. A comment makes their code differ, so that nothing is shared by its hash.
 * @throws Error when a call failed or met an instance that was there already
 */
export async function firstCalls(
  platform: BenchPlatform,
  prefix: string,
  code: string,
  body: string,
  count: number,
  settings: Partial<FunctionDefinition> = {},
): Promise<FirstCall[]> {
  const urls: string[] = [];
  for (let index = 0; index < count; index++) urls.push(await platform.define(`${prefix}-${index}`, `# ${index}\n${code}`, settings));
  using client = new Client();
  // Opens the connection, which is no part of a cold start.
  await client.post({ url: await platform.define(`${prefix}-opener`, code, settings), body });
  const calls: FirstCall[] = [];
  for (const url of urls) {
    const { milliseconds, headers } = await client.post({ url, body });
    if (headers['x-hearth-start'] !== 'cold') throw new Error(`${url} was to start cold, and was ${headers['x-hearth-start']}`);
    const timing = String(headers['server-timing']);
    const part = (name: string): number => Number(new RegExp(`${name};dur=([\\d.]+)`).exec(timing)?.[1]);
    calls.push({ milliseconds, start: part('start'), init: part('init'), run: part('run') });
  }
  return calls;
}
