import { expect, it } from 'vitest';
import { until } from '../support/hearth.ts';
import { onEveryDriver } from './support/arena.ts';

/** Leaves a daemon behind: forked twice, in a session of its own, with every signal ignored, its descriptors closed and its name changed. */
const DAEMON = `
import ctypes, os, signal, time
def daemon(act=lambda: time.sleep(1000)):
    if os.fork(): return
    os.setsid()
    if os.fork(): os._exit(0)
    for s in range(1, 65):
        try: signal.signal(s, signal.SIG_IGN)
        except (OSError, ValueError): pass
    os.closerange(0, 256)
    libc = ctypes.CDLL(None)
    libc.prctl(15, b"kworker/0:1", 0, 0, 0)
    libc.prctl(36, 1, 0, 0, 0)
    while True:
        try: act()
        except BaseException: pass
`;

onEveryDriver('processes', (arena) => {
  it('that daemons of a script have become are gone when it has ended', async () => {
    const code = `${DAEMON}
print("others:", sorted(int(p) for p in os.listdir("/proc") if p.isdigit()))
for _ in range(5): daemon()
`;
    const name = await arena.define(code, { concurrency: 1 });
    await arena.withNeighbour(async () => {
      const seen = new Set<string>();
      for (let n = 0; n < 4; n++) {
        const answer = await arena.call(name);
        expect(answer.status).toBe(204);
        const logs = (await arena.hearth.record(answer.response)).logs as string;
        // init, the process that waits, the template, this run and maybe one in advance: never one of an earlier run.
        expect(logs.match(/\d+/g)?.length).toBeLessThanOrEqual(5);
        seen.add(answer.headers.get('x-serverless-instance-id') as string);
      }
      expect(seen.size).toBe(1);
    });
  });

  it('that keep forking faster than they are killed end with the sandbox at the latest', async () => {
    const code = `${DAEMON}
def breed():
    while True:
        pid = os.fork()
        if pid:
            time.sleep(0.001)
            os._exit(0)
        os.setsid()
for _ in range(10): daemon(breed)
`;
    const name = await arena.define(code, { timeout_ms: 3000 });
    await arena.withNeighbour(async () => {
      for (let n = 0; n < 3; n++) expect([204, 502, 504]).toContain((await arena.call(name)).status);
    });
  });

  it('that a handler leaves behind are bounded and die with its instance', async () => {
    const code = `${DAEMON}
def handler(message, context):
    try: daemon()
    except OSError as error: return error.errno
    return len([p for p in os.listdir("/proc") if p.isdigit()])
`;
    const name = await arena.define(code);
    await arena.withNeighbour(async () => {
      for (let n = 0; n < 5; n++) expect((await arena.call(name)).status).toBe(200);
    });
    // That they are gone is seen after each test, when the functions have been deleted.
  });

  it.each([
    ['a handler', '-1', 'def handler(m, c):\n    LINES', [204, 502]],
    ['a handler', '1', 'def handler(m, c):\n    LINES', [204, 502]],
    ['a script', '-1', 'LINES', [204, 502]],
    ['a script', '1', 'LINES', [204, 502]],
    ['a script', 'os.getppid()', 'LINES', [502]],
    ['a handler', 'os.getpid()', 'def handler(m, c):\n    LINES', [502]],
  ])('may be sent every signal by %s (to %s): it ends its own sandbox at most', async (_, target, template, statuses) => {
    const lines = (signals: string) =>
      `import os, signal\n    for s in ${signals}:\n        try: os.kill(${target}, s)\n        except OSError: pass`;
    await arena.withNeighbour(async () => {
      for (const signals of ['(9,)', '[s for s in range(1, 65) if s not in (9, 19)]']) {
        const text = template.replace('LINES', lines(signals));
        const name = await arena.define(template.startsWith('def') ? text : text.replaceAll('\n    ', '\n'), { timeout_ms: 3000 });
        expect([...statuses, 504]).toContain((await arena.call(name)).status);
      }
    });
  });

  it.each([
    ['SIGSTOP', 504],
    ['SIGKILL', 502],
  ])('that serve a script can be sent %s by it: the call fails, the next one is served', async (signal, status) => {
    const code = `
import os, signal, time
if "harm" in os.environ["HTTP_QUERY"]:
    os.kill(os.getppid(), signal.${signal})
    time.sleep(1000)
`;
    const name = await arena.define(code, { timeout_ms: 1000 });
    await arena.withNeighbour(async () => {
      expect((await arena.call(name)).status).toBe(204);
      expect((await arena.call(name, { query: '?harm' })).status).toBe(status);
      // Until its instance is given up, calls that came to it share its fate.
      await until(async () => (await arena.call(name)).status === 204);
    });
  });

  it('that wait to run a script can be killed by the one before: the next call is served all the same', async () => {
    const code = `
import os, signal
for pid in [int(p) for p in os.listdir("/proc") if p.isdigit()]:
    if pid > 2 and pid not in (os.getpid(), os.getppid()):
        os.kill(pid, signal.SIGKILL)
`;
    const name = await arena.define(code);
    await arena.withNeighbour(async () => {
      for (let n = 0; n < 6; n++) expect([204, 502]).toContain((await arena.call(name)).status);
    });
  });
});
