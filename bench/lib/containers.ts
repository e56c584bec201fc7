import type { Bench } from './case.ts';
import { Docker } from './docker.ts';
import { millisecondsSince } from './statistics.ts';

export interface ContainerStarts {
  /** What was done and in what isolation; or why it could not be measured. */
  label: string;
  /** Milliseconds of each `docker run`, one after another; null when it could not be measured. */
  times: number[] | null;
}

/** `docker run` of an interpreter that does nothing, in containers of their own: the baseline of cold starts. */
export async function containerStarts({ options, say }: Bench, count: number): Promise<ContainerStarts> {
  const label = '`docker run --rm` of `python3 -c pass`, until its end';
  if (!options.docker) return { label: `${label}: left out`, times: null };
  let docker: Docker;
  try {
    docker = await Docker.start(say);
  } catch (error) {
    return { label: `${label}: not measured, ${(error as Error).message}`, times: null };
  }
  await using owned = docker;
  say('running containers');
  const times: number[] = [];
  await owned.run([], ['python3', '-c', 'pass']);
  for (let index = 0; index < count; index++) {
    const start = process.hrtime.bigint();
    await owned.run([], ['python3', '-c', 'pass']);
    times.push(millisecondsSince(start));
  }
  return { label: `${label} (runc, default seccomp profile, network host; Docker ${owned.version})`, times };
}
