import type { Duplex } from 'node:stream';
import { HearthError } from '../errors.ts';
import type { SandboxExit } from './driver.ts';
import type { OutputRelay } from './output-relay.ts';

export interface Booting {
  channel: Duplex;
  output: OutputRelay;
  exited: Promise<SandboxExit>;
  limitMs: number;
}

/**
 * Waits for the first byte on the channel, without taking it: until then a failure is the sandbox's own, and its standard error says why.
 * @throws HearthError sandbox_unavailable when it ends before, or stays silent for too long
 */
export function firstByte({ channel, output, exited, limitMs }: Booting): Promise<void> {
  const failure = (what: string) =>
    new HearthError('sandbox_unavailable', `The runtime ${what}${output.stderrHead === '' ? '' : `: ${output.stderrHead}`}`);
  return new Promise((resolve, reject) => {
    const settle = (error?: HearthError) => {
      clearTimeout(timer);
      channel.off('readable', onReadable);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onReadable = () => {
      if (channel.readableLength > 0) settle();
    };
    const timer = setTimeout(() => settle(failure(`did not say Hello within ${limitMs} ms`)), limitMs);
    channel.on('readable', onReadable);
    void exited.then(async ({ code, signal }) => {
      await output.drained;
      settle(failure(`ended before it said Hello (${signal ?? `exit code ${code}`})`));
    });
  });
}
