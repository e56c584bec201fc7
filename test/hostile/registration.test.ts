import { expect, it } from 'vitest';
import { onOneDriver } from './support/arena.ts';

const refused = expect.objectContaining({ code: expect.stringMatching(/^invalid_(code|request)$/) });

onOneDriver('registering', (arena) => {
  it.each([
    ['a million open brackets', '('.repeat(1_000_000)],
    ['100,000 levels of lists', `def handler(m, c): return ${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['a chain of 100,000 operators', `def handler(m, c): return ${'-'.repeat(100_000)}1`],
    ['NUL in the code', 'def handler(m, c): return 1\0'],
    ['an encoding that does not exist', '# coding: hostile\ndef handler(m, c): return 1'],
    ['no code at all, but lone surrogates', '\ud800\udfff\ud800'],
  ])('%s is refused, and crashes nothing but the process that reads it', async (_, code) => {
    const body = { event_type: 'http|*|/refused', function_name: 'refused', function_code: code };
    const response = await arena.withNeighbour(() => arena.hearth.post('/functions', body));
    expect([response.status, await response.json()]).toEqual([422, refused]);
  });

  it('runs nothing of the code: what it does when it is loaded is done in its own sandbox, by its first call', async () => {
    const code = 'import os\nopen("/tmp/ran", "w").close()\nprint("ran")\ndef handler(m, c): return os.listdir("/tmp")';
    const name = await arena.define(code);
    expect(await arena.hearth.instances(name)).toEqual([]);
    expect((await arena.withNeighbour(() => arena.call(name))).json()).toEqual(['ran']);
  });

  it.each([
    ['exits', 'import sys\nsys.exit(0)'],
    ['kills itself', 'import os, signal\nos.kill(os.getpid(), signal.SIGKILL)'],
    ['raises what can not be shown', 'class E(BaseException):\n    def __str__(self): raise SystemExit\nraise E'],
    ['runs out of its stack', 'import ctypes\nctypes.string_at(0)'],
    [
      'says that it is ready itself',
      'import os, struct\np = b\'{"concurrency": 1000, "preloaded": [], "excluded": []}\'\nos.write(3, struct.pack(">IBI", len(p), 0x82, 0) + p)',
    ],
    ['loads itself a second time', 'import os, struct\nos.write(3, struct.pack(">IBI", 2, 0x81, 0) + b"{}")'],
  ])('does not find out that the code %s while it is loaded; its callers do, and nobody else', async (_, lines) => {
    const answer = await arena.attack(`${lines}\ndef handler(m, c): return 1`, { settings: { timeout_ms: 5000 } });
    expect(answer.status).toBe(502);
    expect(['function_load_failed', 'runtime_protocol_error', 'function_crashed']).toContain((answer.json() as { code: string }).code);
  });
});
