import { expect, it } from 'vitest';
import { onEveryDriver } from './support/arena.ts';

onEveryDriver('from call to call', (arena) => {
  it('a handler keeps its module, as it is promised, and no caller gets what was for another', async () => {
    const code = `
import threading, time
last = None
def handler(message, context):
    global last
    before, last = last, message["query"]["n"]
    def late(stream):
        time.sleep(0.02)
        print("late", before)
    threading.Thread(target=late, args=(before,)).start()
    return {"n": message["query"]["n"], "before": before}
`;
    const name = await arena.define(code);
    await arena.withNeighbour(async () => {
      for (let n = 0; n < 10; n++) {
        const answer = await arena.call(name, { query: `?n=${n}` });
        expect(answer.json()).toEqual({ n: String(n), before: n === 0 ? null : String(n - 1) });
      }
    });
  });

  it('a thread of a handler that writes its reply late does not reach the next caller', async () => {
    const code = `
import json, os, struct, threading, time
calls = 0
def frame(kind, ident, payload=b""):
    return struct.pack(">IBI", len(payload), kind, ident) + payload
def late(ident):
    reply = frame(0x86, ident, b'{"status": 200, "headers": [], "streaming": false}') + frame(0x87, ident, b"late") + frame(0x88, ident)
    while calls == ident: time.sleep(0.001)
    os.write(3, reply * 20)
def handler(message, context):
    global calls
    calls += 1
    threading.Thread(target=late, args=(calls,), daemon=True).start()
    time.sleep(0.005)
    return message["query"]["n"]
`;
    const name = await arena.define(code);
    await arena.withNeighbour(async () => {
      const instances = new Set<string | null>();
      for (let n = 0; n < 30; n++) {
        const answer = await arena.call(name, { query: `?n=${n}` });
        expect([answer.status, answer.text]).toEqual([200, String(n)]);
        instances.add(answer.headers.get('x-serverless-instance-id'));
      }
      expect(instances.size).toBe(1);
    });
  });

  it('a reply that its thread takes the place of is that of the same call', async () => {
    const code = `
import sys, threading, time
def handler(message, context):
    def spoil():
        for name in ("stdout", "stderr", "stdin"): setattr(sys, name, None)
        sys.modules.clear()
        import builtins
        for name in list(vars(builtins)): delattr(builtins, name)
    if message["query"]["n"] == "3": threading.Thread(target=spoil).start(); time.sleep(0.1)
    return message["query"]["n"]
`;
    const name = await arena.define(code, { timeout_ms: 2000 });
    await arena.withNeighbour(async () => {
      for (let n = 0; n < 6; n++) {
        const answer = await arena.call(name, { query: `?n=${n}` });
        // What is broken for good fails, and never answers with somebody else's value.
        if (answer.status === 200) expect(answer.text).toBe(String(n));
        else expect([502, 504]).toContain(answer.status);
      }
    });
  });

  it('a script finds nothing of the run before: no variable, module, thread, process, descriptor, handler or limit', async () => {
    const code = `
import builtins, json, os, resource, signal, sys, threading, time
found = [getattr(builtins, "left", None), getattr(json, "left", None), os.environ.get("LEFT"), sys.argv[1:], threading.active_count(),
         signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, resource.getrlimit(resource.RLIMIT_CORE), os.getcwd(), os.umask(0o22),
         [int(f) for f in os.listdir("/proc/self/fd") if os.path.lexists("/proc/self/fd/" + f)], globals().get("left")]
print(json.dumps(found))
builtins.left = json.left = left = os.environ["LEFT"] = "left"
sys.argv.append("left")
json.loads = lambda text: "left"
signal.signal(signal.SIGTERM, signal.SIG_IGN)
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
os.chdir("/")
os.open("/dev/null", os.O_RDONLY)
os.umask(0o777)
if os.fork() == 0:
    os.setsid()
    time.sleep(1000)
`;
    const name = await arena.define(code, { concurrency: 1 });
    await arena.withNeighbour(async () => {
      const outputs: string[] = [];
      for (let n = 0; n < 4; n++) {
        const answer = await arena.call(name);
        expect(answer.status).toBe(204);
        outputs.push((await arena.hearth.record(answer.response)).logs as string);
      }
      expect(JSON.parse(outputs[0] as string)).toEqual([null, null, null, [], 1, true, [0, 0], '/tmp', 0o22, [0, 1, 2], null]);
      expect(new Set(outputs).size).toBe(1);
    });
  });

  it('a version finds nothing of the one before, and a function nothing of another', async () => {
    const write =
      'import os\ndef handler(m, c):\n    open("/tmp/left", "w").close(); open("/dev/shm/left", "w").close()\n    return os.listdir("/tmp")';
    const read = 'import os\ndef handler(m, c): return os.listdir("/tmp") + os.listdir("/dev/shm")';
    const name = await arena.define(write);
    await arena.withNeighbour(async () => {
      expect((await arena.call(name)).json()).toEqual(['left']);
      const other = await arena.define(read);
      expect((await arena.call(other)).json()).toEqual([]);
      await arena.hearth.define(name, read);
      expect((await arena.call(name)).json()).toEqual([]);
    });
  });
});
