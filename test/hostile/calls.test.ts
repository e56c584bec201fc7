import { expect, it } from 'vitest';
import { onOneDriver } from './support/arena.ts';
import { KEPT_NOTHING_BYTES } from './support/footprint.ts';

const MIB = 1024 * 1024;

/** A handler that runs these lines, with what it takes to write calls to the channel; `me` is the id of its invocation. */
const withCalls = (lines: string) => `
import json, os, struct, time
calls = 0
def frame(kind, ident, payload=b""):
    return struct.pack(">IBI", len(payload), kind, ident) + payload
def call(ident, invocation, function="victim", length=0, **members):
    head = {"invocation": invocation, "function": function, "mode": "sync", "timeoutMs": None, "contentType": None, "bodyLength": length}
    return frame(0x8e, ident, json.dumps({**head, **members}).encode())
def body(ident, data):
    return frame(0x8f, ident, data)
def send(data):
    view = memoryview(data)
    while view:
        view = view[os.write(3, view):]
def handler(message, context):
    global calls
    calls += 1
    me = calls
    if message["query"].get("behave"): return "behaved"
${lines.replaceAll(/^/gm, '    ')}
`;
const VICTIM = 'def handler(m, c):\n    return "x" * 900000\n';

onOneDriver(
  'calls between functions',
  (arena) => {
    it.each([
      ['for an invocation that never was', 'send(call(1, me + 1))'],
      ['with an id that was used', 'send(call(5, me) + call(5, me))'],
      ['with a mode that there is not', 'send(call(1, me, mode="both"))'],
      ['with a length below nothing', 'send(call(1, me, length=-1))'],
      ['with a content type that would be another header', 'send(call(1, me, contentType="a\\r\\nX-Hearth-Start: warm"))'],
      ['that are no JSON', 'send(frame(0x8e, 1, b"{"))'],
      ['whose body has no head', 'send(body(1, b"x"))'],
    ])('%s cost the caller its sandbox', async (_, line) => {
      const name = await arena.define(withCalls(`${line}\ntime.sleep(1)\nreturn "answered"`), { invokes: ['neighbour'], timeout_ms: 5000 });
      await arena.withNeighbour(async () => {
        const answer = await arena.call(name);
        expect([answer.status, (answer.json() as { code: string }).code]).toEqual([502, 'runtime_protocol_error']);
        expect((await arena.call(name, { query: '?behave=1' })).text).toBe('behaved');
      });
    });

    it.each([
      ['names of a megabyte', 'for n in range(1, 401): send(call(n, me, function="f" * 1000000))\nreturn "done"'],
      [
        'bodies that never become whole',
        'for n in range(1, 501): send(call(n, me, function="VICTIM", length=6000000) + body(n, b"x" * 900000))\nreturn "done"',
      ],
      ['a function that it may not invoke', 'for n in range(1, 20001): send(call(n, me, function="VICTIM"))\nreturn "done"'],
      [
        'bodies that are announced as endless',
        'for n in range(1, 4001): send(call(n, me, function="VICTIM", length=2**50) + body(n, b"x" * 100000))\nreturn "done"',
      ],
    ])('that flood the platform with %s leave it and the neighbours as they were', async (_, lines) => {
      const victim = await arena.define(VICTIM);
      const name = await arena.define(withCalls(lines.replaceAll('VICTIM', victim)), {
        invokes: lines.includes('body(') ? [victim] : [],
        timeout_ms: 15_000,
      });
      await arena.call('neighbour', { query: '?n=0' });
      arena.footprint.resetPeak();
      const before = arena.footprint.peakBytes();
      await arena.withNeighbour(() => arena.call(name));
      expect(arena.footprint.peakBytes() - before).toBeLessThan(KEPT_NOTHING_BYTES);
    });

    it('whose answers lie unread are dropped, and hold no more memory than is set aside', async () => {
      const victim = await arena.define(VICTIM, { concurrency: 1 });
      const name = await arena.define(withCalls(`for n in range(1, 2001): send(call(n, me, function="${victim}"))\ntime.sleep(4)\nreturn "done"`), {
        invokes: [victim],
        timeout_ms: 8000,
      });
      await arena.call(victim);
      arena.footprint.resetPeak();
      const before = arena.footprint.peakBytes();
      await arena.withNeighbour(() => arena.call(name));
      expect(arena.footprint.peakBytes() - before).toBeLessThan(KEPT_NOTHING_BYTES);
    });

    it('can not be made in the name of another invocation of the same script', async () => {
      const victim = await arena.define('def handler(m, c):\n    return m["body"]\n');
      // One that has left its session belongs to no invocation any more, so that nothing is done in anybody's name.
      const code = `import hearth, os\npid = os.fork()\nif pid == 0:\n    os.setsid()\n    try:\n        hearth.invoke("${victim}", 1)\n    except hearth.InvokeError as error:\n        print(error.code, flush=True)\n    os._exit(0)\nos.waitpid(pid, 0)\nprint(hearth.invoke("${victim}", 2))\n`;
      const name = await arena.define(code, { invokes: [victim] });
      const response = await arena.hearth.call(`/${name}`);
      expect((await arena.hearth.record(response)).logs).toBe('cancelled\n2\n');
    });
  },
  { settings: { HEARTH_GATEWAY_MAX_REPLY_BYTES: String(MIB) } },
);
