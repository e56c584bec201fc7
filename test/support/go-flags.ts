import { execFileSync } from 'node:child_process';

/**
 * For GOFLAGS of builds in tests. Go before 1.20 brings its standard library compiled; later ones compile it when it isn't cached, which is half a minute of
 * two cores for `net/http`, and less without optimisation.
 */
export function goFlags(): string {
  const minor = /^go1\.(\d+)/.exec(execFileSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' }))?.[1];
  return minor !== undefined && Number(minor) < 20 ? '' : '-gcflags=all=-N';
}
