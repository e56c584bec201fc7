import type { BuildResult, BuildSpec, SandboxExit } from './driver.ts';
import type { OutputRelay } from './output-relay.ts';

export interface RunningBuild {
  output: OutputRelay;
  exited: Promise<SandboxExit>;
  kill(): void;
}

/** What the build of an already aborted spec comes to. */
export const NOT_STARTED: BuildResult = { code: null, timedOut: false };

/** Waits for a running build to end, with all its output handed on, and kills it at its timeout or when it is aborted. */
export async function superviseBuild({ output, exited, kill }: RunningBuild, { timeoutMs, signal }: BuildSpec): Promise<BuildResult> {
  let timedOut = false;
  let killed = false;
  const end = () => {
    killed = true;
    kill();
  };
  const timer = setTimeout(() => {
    timedOut = true;
    end();
  }, timeoutMs);
  signal?.addEventListener('abort', end, { once: true });
  if (signal?.aborted) end();
  const { code } = await exited;
  clearTimeout(timer);
  signal?.removeEventListener('abort', end);
  await output.drained;
  return { code: killed ? null : code, timedOut };
}
