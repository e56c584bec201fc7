import { expect, it } from 'vitest';
import { onEveryDriver } from './support/arena.ts';

const handler = (lines: string) => `def handler(message, context):\n${lines.replaceAll(/^/gm, '    ')}`;

/** A deadline within which a sandbox starts and a handler begins, on a machine that has other things to do, too. */
const BEGINS_MS = 3000;

/** Ways to stay, as lines of Python. */
const STAYING: readonly [string, string][] = [
  ['sleeps', 'import time\ntime.sleep(1000)'],
  ['spins', 'while True: pass'],
  [
    'ignores every signal that can be ignored',
    'import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass',
  ],
  [
    'blocks every signal in all its threads',
    'import signal, threading\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nfor _ in range(4): threading.Thread(target=lambda: [None for _ in iter(int, 1)]).start()\nwhile True: pass',
  ],
  ['backtracks for ever inside the interpreter', 'import re\nre.match("(a|a)*$", "a" * 64 + "b")'],
  ['computes a power without end', 'pow(10 ** 20000 + 1, 10 ** 20000 + 3, 10 ** 20000 + 7)'],
  ['catches whatever interrupts it', 'import time\nwhile True:\n    try: time.sleep(1000)\n    except BaseException: pass'],
  ['waits for a lock that it holds', 'import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()'],
  ['reads what never comes', 'import os\nos.read(os.pipe()[0], 1)'],
  ['stops itself', 'import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)'],
  ['waits in its exit handlers', 'import atexit, time\natexit.register(time.sleep, 1000)\nraise SystemExit(0)'],
];

onEveryDriver(
  'the deadline',
  (arena) => {
    it.each(arena.few(STAYING))('holds for a handler that %s: 504, and its sandbox is gone', async (what, lines) => {
      // A handler is no process of its own: its exit is an exception like others.
      const fails = what.startsWith('waits in its exit');
      const answer = await arena.attack(handler(lines), { settings: { timeout_ms: fails ? BEGINS_MS : 500 } });
      if (fails) expect(answer.status).toBe(502);
      else expect([answer.status, (answer.json() as { code: string }).code]).toEqual([504, 'deadline_exceeded']);
    });

    it.each(arena.few(STAYING))('holds for a script that %s: 504, and its processes are gone', async (_, lines) => {
      const answer = await arena.attack(lines, { settings: { timeout_ms: 500 } });
      expect([answer.status, (answer.json() as { code: string }).code]).toEqual([504, 'deadline_exceeded']);
    });

    it.each([
      ['spins', 'while True: pass'],
      ['sleeps, having forked', 'import os, time\nif os.fork() == 0: os.setsid()\ntime.sleep(1000)'],
    ])('holds for code that %s while it is loaded, for every caller', async (_, lines) => {
      const name = await arena.define(`${lines}\ndef handler(m, c): return 1`, { timeout_ms: 700 });
      await arena.withNeighbour(async () => {
        const answers = await Promise.all([arena.call(name), arena.call(name), arena.call(name)]);
        for (const answer of answers) expect([502, 504]).toContain(answer.status);
      });
    });

    it('holds for a stream that trickles on and on', async () => {
      const code = 'import time\ndef handler(m, c):\n    while True:\n        yield "x"\n        time.sleep(0.02)';
      const answer = await arena.attack(code, { settings: { timeout_ms: BEGINS_MS } });
      expect([answer.status, answer.text]).toEqual([200, expect.stringMatching(/^broken off/)]);
    });

    it('of one call of an asynchronous handler does not wait for those beside it', async () => {
      const code = `
import asyncio
async def handler(message, context):
    if "stay" in message["query"]:
        while True:
            try: await asyncio.sleep(1000)
            except asyncio.CancelledError: pass
    return "done"
`;
      const name = await arena.define(code, { timeout_ms: BEGINS_MS });
      await arena.withNeighbour(async () => {
        const stays = Array.from({ length: 4 }, () => arena.call(name, { query: '?stay=1' }));
        for (let n = 0; n < 5; n++) expect((await arena.call(name)).text).toBe('done');
        for (const answer of await Promise.all(stays)) expect(answer.status).toBe(504);
        expect((await arena.call(name)).text).toBe('done');
      });
    });
  },
  { settings: { HEARTH_LIMITS_START_TIMEOUT_MS: String(BEGINS_MS + 1000) } },
);
