import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** The machine and the versions that figures are worth nothing without. */
export function describeMachine(now: Date): string[] {
  const processors = cpus();
  return [
    `${now.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `${processors.length} cores (${processors[0]?.model.trim() ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}; load before the run ${loadavg()[0]?.toFixed(1)}`,
    `Node.js ${process.versions.node}; ${versionOf('/usr/bin/python3', ['--version'])}; ${versionOf('bwrap', ['--version'])}; ${versionOf('wrk', ['-v'])}`,
  ];
}

/** The first line that a program says of itself. wrk says it and exits with 1. */
function versionOf(program: string, args: readonly string[]): string {
  try {
    return firstLine(execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }));
  } catch (error) {
    const { stdout } = error as { stdout?: string };
    return stdout ? firstLine(stdout) : `no ${program}`;
  }
}

function firstLine(text: string): string {
  return (text.split('\n')[0] ?? '').replace(/ Copyright.*/, '').trim();
}
