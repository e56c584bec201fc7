import type { Socket } from 'node:net';
import { HearthError } from '../../errors.ts';
import type { ChannelDoor } from './channel-door.ts';
import type { Container } from './container.ts';

/** The container's connection. @throws HearthError sandbox_unavailable with what it wrote when it ended before, or when it takes longer than that */
export async function connected(door: ChannelDoor, container: Container, limitMs: number): Promise<Socket> {
  let timer: NodeJS.Timeout | undefined;
  const failure = (what: string) => {
    const said = container.output.stderrHead;
    return new HearthError('sandbox_unavailable', `The runtime ${what}${said === '' ? '' : `: ${said}`}`);
  };
  try {
    return await Promise.race([
      door.connection,
      container.exited.then(async ({ code, signal }) => {
        await container.output.drained;
        throw failure(`ended before it said Hello (${signal ?? `exit code ${code}`})`);
      }),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(failure(`did not say Hello within ${limitMs} ms`)), limitMs);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
