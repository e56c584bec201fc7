import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { readWaitStatus } from './wait-status.ts';

/** What waitpid gives for a process that ended so. */
function statusOf(how: string): number {
  const code = `import os\npid = os.fork()\nif pid == 0:\n ${how}\nprint(os.waitpid(pid, 0)[1])`;
  return Number(spawnSync('python3', ['-c', code], { encoding: 'utf8' }).stdout);
}

describe('a wait status', () => {
  it('tells an exit code', () => {
    expect(readWaitStatus(statusOf('os._exit(0)'))).toEqual({ code: 0, signal: null });
    expect(readWaitStatus(statusOf('os._exit(137)'))).toEqual({ code: 137, signal: null });
  });

  it('tells a signal, whether or not memory was dumped', () => {
    expect(readWaitStatus(statusOf('os.kill(os.getpid(), 9)'))).toEqual({ code: null, signal: 'SIGKILL' });
    expect(readWaitStatus(0x80 | 11)).toEqual({ code: null, signal: 'SIGSEGV' });
  });
});
