import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ToRuntime } from '../../../src/protocol/frame.ts';
import { AGENT, Agent, type AgentOptions, PYTHONS } from '../../support/agent.ts';

/** A folder with modules to import, gone at the end of the block. */
async function layer(modules: Record<string, string>): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(`${tmpdir()}/hearth-layer-`);
  for (const [name, source] of Object.entries(modules)) await writeFile(`${path}/${name}.py`, source);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

async function childrenOf(pid: number): Promise<number[]> {
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean).map(Number);
}

/** Waits for a child of the template, which the last one is, that isn't `previous` and not a session's leader: one that waits for its run. */
async function spareOf(agent: Agent, previous = 0): Promise<number> {
  const [template] = await childrenOf(agent.child.pid as number);
  for (;;) {
    for (const pid of await childrenOf(template as number)) {
      if (pid !== previous && (await waits(pid))) return pid;
    }
    await sleep(2);
  }
}

/** True when that process is no session's leader, and has but one descriptor besides the usual three: that which its run will come by. */
async function waits(pid: number): Promise<boolean> {
  try {
    const session = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')[3];
    const descriptors = await readdir(`/proc/${pid}/fd`);
    return Number(session) !== pid && descriptors.sort().join() === '0,1,2,3';
  } catch {
    return false;
  }
}

/** A user of whom no process runs but those of the test. */
const OTHER_USER = 61_234;

function othersCanRun(python: string): boolean {
  return process.getuid?.() === 0 && spawnSync(python, ['-I', '-S', AGENT, 'x'], { uid: OTHER_USER, stdio: 'ignore' }).status === 70;
}

describe.each(PYTHONS)('a script on %s', (python) => {
  const load = (code: string, options: Partial<AgentOptions> = {}) => Agent.load({ python, style: 'script', code, ...options });
  const running = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };

  test('finds the request in its environment', async () => {
    await using agent = await load(
      'import os, json\nprint(json.dumps({k: v for k, v in os.environ.items() if k.startswith("HTTP_") or k in ("A", "HOME", "LANG", "PYTHONUNBUFFERED")}))\n',
      { environment: { A: 'b' } },
    );
    const outcome = await agent.call({
      verb: 'PUT',
      path: '/cats/7',
      rawPath: '/cats/7?x=1',
      query: 'x=1',
      headers: ['Host', 'h', 'X-Twice', 'a', 'X-Twice', 'b', 'X-Correlation-Id', 'c-1'],
      body: '{"n": 1}',
    });
    expect(outcome.exited).toEqual({ code: 0 });
    expect(JSON.parse(outcome.stdout.toString())).toEqual({
      HTTP_HEADER: 'Host: h\nX-Twice: a\nX-Twice: b\nX-Correlation-Id: c-1',
      HTTP_BODY: '{"body": {"n": 1}}',
      HTTP_PATH: '/cats/7',
      HTTP_VERB: 'PUT',
      HTTP_QUERY: 'x=1',
      HTTP_TARGET: '/cats/7?x=1',
      A: 'b',
      HOME: '/tmp',
      LANG: 'C.UTF-8',
      PYTHONUNBUFFERED: '1',
    });
  });

  test.each<[string, Buffer | string, unknown]>([
    ['nothing', '', null],
    ['JSON', '[1, {"a": "\\u00e4"}]', [1, { a: 'ä' }]],
    ['text', 'hello\n', 'hello\n'],
    ['NaN, which is no JSON', 'NaN', 'NaN'],
    ['a NUL byte', 'a\0b', 'a\0b'],
    ['bytes that are no text', Buffer.from([0x61, 0xff]), 'a\udcff'],
    ['a megabyte and more', JSON.stringify('x'.repeat(1_500_000)), 'x'.repeat(1_500_000)],
    ['JSON nested too deeply', '['.repeat(200_000), '['.repeat(200_000)],
  ])('gets a body of %s as JSON text', async (_name, body, expected) => {
    await using agent = await load('import os, json\nprint(json.dumps(json.loads(os.environ["HTTP_BODY"])["body"]))\n');
    const outcome = await agent.call({ body });
    expect(outcome.stderr.toString()).toBe('');
    expect(JSON.parse(outcome.stdout.toString())).toEqual(expected);
  });

  test('gets the body verbatim when whoever triggered it said what it is', async () => {
    await using agent = await load('import os\nprint(os.environ["HTTP_BODY"])\n');
    expect((await agent.call({ scriptBody: 'not even {json' })).stdout.toString()).toBe('not even {json\n');
  });

  test('can not be told a header that the caller forged with a line break', async () => {
    await using agent = await load('import os\nprint(len(os.environ["HTTP_HEADER"].splitlines()), "\\0" in os.environ["HTTP_PATH"])\n');
    const forged = ['\n', '\r', '\v', '\f', '\x1c', '\x1d', '\x1e', '\x85', '\u2028', '\u2029', '\0'].map((c) => `a${c}X-Correlation-Id: forged`);
    const headers = [...forged.flatMap((value) => ['X', value]), 'X-Correlation-Id', 'c'];
    expect((await agent.call({ headers, path: '/a\0b' })).stdout.toString()).toBe('12 False\n');
  });

  test.each<[string, object]>([
    ['pass', { code: 0 }],
    ['import sys; sys.exit(7)', { code: 7 }],
    ['exit()', { code: 0 }],
    ['raise SystemExit', { code: 0 }],
    ['import sys; sys.exit("words")', { code: 1 }],
    ['1/0', { code: 1 }],
    ['import os; os._exit(9)', { code: 9 }],
    ['import os, signal; os.kill(os.getpid(), signal.SIGKILL)', { signal: 'SIGKILL' }],
    ['import os, signal; os.kill(os.getpid(), signal.SIGTERM)', { signal: 'SIGTERM' }],
    ['import ctypes; ctypes.string_at(0)', { signal: 'SIGSEGV' }],
    ['raise KeyboardInterrupt', { signal: 'SIGINT' }],
    ['import os; os.kill(os.getppid(), 0); os.setsid', { code: 0 }],
    ['import atexit, os; atexit.register(os._exit, 4)', { code: 4 }],
  ])('that does %j ends as a program of its own would', async (code, exited) => {
    await using agent = await load(code);
    expect((await agent.call()).exited).toEqual(exited);
    expect((await agent.call()).exited).toEqual(exited);
  });

  test('that fails shows its traceback with its own lines, and none of the runtime', async () => {
    await using agent = await load('def inner():\n    raise KeyError("cat")  # here\n\ninner()\n');
    const stderr = (await agent.call()).stderr.toString();
    expect(stderr).toMatch(
      /^Traceback \(most recent call last\):\n {2}File "\/function\/example.py", line 4, in <module>\n {4}inner\(\)\n(.*\n)?\s*File "\/function\/example.py", line 2, in inner\n {4}raise KeyError\("cat"\) {2}# here\n(.*\n)*KeyError: 'cat'\n$/,
    );
    expect(stderr).not.toContain('hearth');
  });

  test('says the words of SystemExit on standard error', async () => {
    await using agent = await load('raise SystemExit("words")');
    expect((await agent.call()).stderr.toString()).toBe('words\n');
  });

  test('obeys its own sys.excepthook', async () => {
    await using agent = await load('import sys\nsys.excepthook = lambda *a: print("hooked", a[0].__name__)\n1/0\n');
    const outcome = await agent.call();
    expect([outcome.stdout.toString(), outcome.exited]).toEqual(['hooked ZeroDivisionError\n', { code: 1 }]);
  });

  test('waits for its threads, then runs what atexit knows, then flushes', async () => {
    await using agent = await load(
      'import atexit, sys, threading, time\natexit.register(lambda: sys.stdout.write("atexit"))\n' +
        'threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()\nthreading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\nprint("main")\n',
    );
    const outcome = await agent.call();
    expect([outcome.stdout.toString(), outcome.stderr.toString(), outcome.exited]).toEqual(['main\nthread\natexit', '', { code: 0 }]);
  });

  test('starts afresh each time, as __main__', async () => {
    await using agent = await load(
      'import sys, json\nassert not hasattr(json, "seen")\njson.seen = True\nassert "x" not in globals()\nx = 1\nimport __main__\nassert __main__.x == 1\n' +
        'print(__name__, __file__, sys.argv, sys.stdin.read() == "", sys.modules["__main__"] is __main__)\n',
    );
    for (let i = 0; i < 3; i += 1) {
      const outcome = await agent.call();
      expect([outcome.stderr.toString(), outcome.stdout.toString()]).toEqual([
        '',
        "__main__ /function/example.py ['/function/example.py'] True True\n",
      ]);
    }
  });

  test('draws other random numbers each time', async () => {
    await using agent = await load('import random, uuid\nprint(random.random(), uuid.uuid4())\n');
    const seen = new Set<string>();
    for (let i = 0; i < 5; i += 1) seen.add((await agent.call()).stdout.toString());
    expect(seen.size).toBe(5);
  });

  test('finds no descriptors but its own three', async () => {
    await using agent = await load('import os\nprint(sorted(int(n) for n in os.listdir("/proc/self/fd"))[:-1])\n', { listen: true });
    expect((await agent.call()).stdout.toString()).toBe('[0, 1, 2]\n');
  });

  test('finds its signals as a fresh program would', async () => {
    await using agent = await load(
      'import signal\nprint(signal.getsignal(signal.SIGCHLD).name, signal.set_wakeup_fd(-1), signal.getsignal(signal.SIGINT).__name__)\n',
    );
    expect((await agent.call()).stdout.toString()).toBe('SIG_DFL -1 default_int_handler\n');
  });

  test('can run programs and pools of processes', async () => {
    await using agent = await load(
      'import subprocess, sys, multiprocessing as mp\nfrom concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor\n' +
        'print(subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, text=True).stdout.strip())\n' +
        'def square(x):\n    return x * x\nwith mp.Pool(2) as pool:\n    print(pool.map(square, [1, 2, 3]))\n' +
        'for Executor in ThreadPoolExecutor, ProcessPoolExecutor:\n    with Executor(2) as pool:\n        print(list(pool.map(square, [4])))\n',
    );
    const outcome = await agent.call();
    expect([outcome.stderr.toString(), outcome.stdout.toString(), outcome.exited]).toEqual(['', '1\n[1, 4, 9]\n[16]\n[16]\n', { code: 0 }]);
  });

  test('imports its modules once for all runs', async () => {
    await using modules = await layer({ quiet: 'import os\npid = os.getpid()\n' });
    await using agent = await load('"""Says."""\nimport os\nfrom quiet import pid\nprint(pid != os.getpid(), pid == os.getppid())\n', {
      layers: [modules.path],
    });
    expect(agent.ready).toEqual({ concurrency: 1, preloaded: ['os', 'quiet'], excluded: [] });
    expect((await agent.call()).stdout.toString()).toBe('True True\n');
  });

  test.each([
    ['prints', 'print("side effect")', 'side effect\n'],
    ['sets the environment', 'import os\nos.environ["SIDE"] = "1"', ''],
    ['starts a thread', 'import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()', ''],
    ['opens a file', 'import os\nhandle = open(os.devnull)', ''],
    ['changes the folder', 'import os\nos.chdir("/")', ''],
    ['changes the umask', 'import os\nos.umask(0o123)', ''],
    ['handles a signal', 'import signal\nsignal.signal(signal.SIGUSR1, lambda *a: None)', ''],
    ['changes the path', 'import sys\nsys.path.append("/x")', ''],
    ['makes a file', 'import os\nopen(os.environ["TMPDIR"] + "/made", "a").close()', ''],
    ['runs a program', 'import subprocess\nsubprocess.run(["true"])', ''],
    ['leaves a process', 'import subprocess\nleft = subprocess.Popen(["sleep", "60"])', ''],
    ['replaces standard output', 'import sys, io\nsys.stdout = sys.stdout', ''],
    ['ends the process', 'import os, sys\nif not hasattr(sys.modules["__main__"], "running"): os._exit(3)', ''],
    ['crashes', 'import sys\nif not hasattr(sys.modules["__main__"], "running"):\n    import os; os.kill(os.getpid(), 11)', ''],
  ])('sees a module that %s imported afresh in each run', async (name, source, printed) => {
    await using modules = await layer({ effect: `${source}\nimport os\npid = os.getpid()\n`, quiet: 'import os\npid = os.getpid()\n' });
    await using agent = await load('import os, quiet\nrunning = True\nimport effect\nprint(effect.pid == os.getpid(), quiet.pid == os.getppid())\n', {
      layers: [modules.path],
    });
    const innocent = name === 'replaces standard output';
    expect(agent.ready?.excluded).toEqual(innocent ? [] : ['effect']);
    expect(agent.ready?.preloaded).toEqual(innocent ? ['os', 'quiet', 'effect'] : ['os', 'quiet']);
    for (let i = 0; i < 2; i += 1) {
      const outcome = await agent.call();
      expect([outcome.stderr.toString(), outcome.stdout.toString()]).toEqual(['', `${printed}${innocent ? 'False' : 'True'} True\n`]);
    }
  });

  test('finds several unfit modules at once, and one behind the other', async () => {
    await using modules = await layer({ a: 'print("a")', b: 'import a\n', c: 'print("c")' });
    await using agent = await load('import b, a, c\n', { layers: [modules.path] });
    expect([...(agent.ready?.excluded ?? [])].sort()).toEqual(['a', 'b', 'c']);
    expect((await agent.call()).stdout.toString()).toBe('a\nc\n');
  });

  test('meets a failing import in its own try and except', async () => {
    await using modules = await layer({ broken: 'raise RuntimeError("broken")', quiet: '' });
    await using agent = await load(
      'try:\n    import no_such_module\nexcept ImportError:\n    no_such_module = None\ntry:\n    import broken\nexcept RuntimeError as e:\n    print(e)\nimport quiet\nprint(no_such_module)\n',
      { layers: [modules.path] },
    );
    expect((await agent.call()).stdout.toString()).toBe('broken\nNone\n');
    // Its except clause does something, so nothing behind it is imported before it ran.
    expect([agent.ready?.preloaded, agent.ready?.excluded]).toEqual([[], ['no_such_module', 'broken']]);
  });

  test('that prepares an import by code has that code run first', async () => {
    await using modules = await layer({ asks: 'import os\nanswer = os.environ.get("MODE")\n' });
    await using agent = await load('import os\nos.environ["MODE"] = "fast"\nimport asks\nprint(asks.answer)\n', { layers: [modules.path] });
    expect((await agent.call()).stdout.toString()).toBe('fast\n');
  });

  test.each([
    ['x = (', 'SyntaxError'],
    ['\0', /SyntaxError|ValueError/],
    ['return 1', 'SyntaxError'],
  ])('whose code is %j is not loaded', async (code, type) => {
    await using agent = await load(code);
    expect(agent.loadFailed?.type).toMatch(type);
    expect(await agent.exit()).toBe(1);
  });

  test('leaves no process behind: not in its group, not out of it, not orphaned', async () => {
    await using agent = await load(
      'import os, subprocess, sys\n' +
        'pids = [subprocess.Popen(["sleep", "1000"]).pid, subprocess.Popen(["sleep", "1000"], start_new_session=True).pid]\n' +
        'shell = subprocess.Popen("setsid sh -c \'setsid sleep 1000 & echo $!; setsid sleep 1000 & echo $!\'", shell=True, stdout=subprocess.PIPE, text=True)\n' +
        'pids += [int(shell.stdout.readline()), int(shell.stdout.readline())]\nprint(*pids)\n',
    );
    const outcome = await agent.call();
    const pids = outcome.stdout.toString().trim().split(' ').map(Number);
    expect(pids).toHaveLength(4);
    expect(pids.map(running)).toEqual([false, false, false, false]);
  });

  test('whose descendants fork on and on is caught all the same', async () => {
    await using agent = await load(
      'import os, time\nif os.fork() == 0:\n    os.setsid()\n    for i in range(200):\n        if os.fork():\n            os._exit(0)\n        os.setsid()\n    time.sleep(1000)\n',
    );
    expect((await agent.call()).exited).toEqual({ code: 0 });
    expect((await agent.call()).exited).toEqual({ code: 0 });
  });

  test('may print a hundred megabytes to a platform that reads slowly, without them gathering in the runtime', async () => {
    await using agent = await load(
      'import sys\nfor i in range(1600):\n    sys.stdout.write("x" * 65535 + "\\n")\nprint(open("/proc/%d/status" % __import__("os").getppid()).read(), file=sys.stderr)\n',
    );
    const call = agent.invoke();
    await call.printed('x');
    agent.pauseReading();
    await sleep(300);
    agent.resumeReading();
    const outcome = await call.done;
    expect(outcome.stdout.length).toBe(1600 * 65536);
    const highWater = /VmHWM:\s+(\d+) kB/.exec(outcome.stderr.toString())?.[1];
    expect(Number(highWater)).toBeLessThan(60_000);
  });

  test('has everything heard that it wrote before it was killed', async () => {
    await using agent = await load('import os\nos.write(1, b"x" * 50000)\nos.write(2, b"y" * 50000)\nos.kill(os.getpid(), 9)\n');
    const outcome = await agent.call();
    expect([outcome.stdout.length, outcome.stderr.length, outcome.exited]).toEqual([50_000, 50_000, { signal: 'SIGKILL' }]);
  });

  test('that is cancelled is killed with its processes', async () => {
    await using agent = await load(
      'import subprocess, time\nprint(subprocess.Popen(["sleep", "1000"], start_new_session=True).pid)\ntime.sleep(1000)\n',
    );
    const call = agent.invoke();
    await call.printed('\n');
    agent.cancel(call.id);
    const outcome = await call.done;
    expect(outcome.exited).toEqual({ signal: 'SIGKILL' });
    expect(running(Number(outcome.stdout.toString()))).toBe(false);
  });

  test('that is cancelled at once, or after its end, or before its body came, does no harm', async () => {
    await using agent = await load('import time\ntime.sleep(1000)\n', { concurrency: 8 });
    const calls = Array.from({ length: 8 }, () => agent.invoke());
    for (const call of calls) agent.cancel(call.id);
    for (const call of calls) expect((await call.done).exited).toEqual({ signal: 'SIGKILL' });
    for (const call of calls) agent.cancel(call.id);
    const last = agent.invoke();
    agent.cancel(last.id);
    expect((await last.done).exited).toEqual({ signal: 'SIGKILL' });
  });

  test('runs several times at once', async () => {
    await using agent = await load(
      'import os, time, json\nme, other = json.loads(os.environ["HTTP_BODY"])["body"]\nopen(me, "w").close()\nwhile not os.path.exists(other):\n    time.sleep(0.002)\nprint(me)\n',
      { concurrency: 2 },
    );
    const [a, b] = await Promise.all([agent.call({ body: '["a", "b"]' }), agent.call({ body: '["b", "a"]' })]);
    expect([a.stdout.toString(), b.stdout.toString()]).toEqual(['a\n', 'b\n']);
  });

  test('ends while another runs on', async () => {
    await using agent = await load('import os, time\nprint(os.environ["HTTP_BODY"])\nif "wait" in os.environ["HTTP_BODY"]:\n    time.sleep(1000)\n', {
      concurrency: 2,
    });
    const waiting = agent.invoke({ body: '"wait"' });
    await waiting.printed('wait');
    for (let i = 0; i < 20; i += 1) expect((await agent.call()).exited).toEqual({ code: 0 });
    agent.cancel(waiting.id);
    expect((await waiting.done).exited).toEqual({ signal: 'SIGKILL' });
  });

  test('speaks with the platform over connections to the reply endpoint, by whatever way it resolves the name', async () => {
    await using agent = await load(
      'import os, socket, asyncio\nport = int(os.environ["HTTP_BODY"])\n' +
        'def ask(s):\n    s.sendall(b"hello")\n    print(s.recv(100).decode())\n' +
        'ask(socket.create_connection(("message_queue", port)))\n' +
        's = socket.socket()\ns.connect((socket.gethostbyname("message_queue"), port))\nask(s)\n' +
        's = socket.socket()\ns.connect(("message_queue", port))\nask(s)\n' +
        'async def main():\n    reader, writer = await asyncio.open_connection("message_queue", port)\n    writer.write(b"hello")\n' +
        '    print((await reader.read(100)).decode())\n    writer.close()\nasyncio.run(main())\n',
      { listen: true, onStreamData: (stream) => stream.write(`${stream.id}: ${stream.received}`) },
    );
    const outcome = await agent.call({ scriptBody: String(agent.port) });
    expect([outcome.stderr.toString(), outcome.stdout.toString()]).toEqual(['', '1: hello\n2: hello\n3: hello\n4: hello\n']);
    await agent.until(() => agent.streams.length === 4 && agent.streams.every((stream) => stream.closed));
  });

  test('that sends and exits at once has been heard before its end is told', async () => {
    let heardAtExit = -1;
    await using agent = await load(
      'import os, socket\ns = socket.create_connection(("message_queue", int(os.environ["HTTP_BODY"])))\ns.sendall(b"z" * 300000)\nos._exit(0)\n',
      { listen: true },
    );
    for (let i = 0; i < 10; i += 1) {
      const outcome = await agent.call({ scriptBody: String(agent.port) });
      expect(outcome.exited).toEqual({ code: 0 });
      heardAtExit = agent.streams[i]?.received.length ?? -1;
      expect(heardAtExit).toBe(300_000);
    }
  });

  test('reads to the end what the platform sent before closing a connection', async () => {
    await using agent = await load(
      'import os, socket\ns = socket.create_connection(("message_queue", int(os.environ["HTTP_BODY"])))\ns.sendall(b"go")\nn = 0\nwhile True:\n    data = s.recv(65536)\n    if not data: break\n    n += len(data)\nprint(n)\n',
      {
        listen: true,
        onStreamData: (stream) => {
          for (let i = 0; i < 8; i += 1) stream.write(Buffer.alloc(100_000));
          stream.close();
        },
      },
    );
    expect((await agent.call({ scriptBody: String(agent.port) })).stdout.toString()).toBe('800000\n');
  });

  test('that sends without end to the reply endpoint keeps no other from ending, and its bytes do not gather in the runtime', async () => {
    await using agent = await load(
      'import os, socket\nport = os.environ["HTTP_BODY"]\nif port:\n    s = socket.create_connection(("message_queue", int(port)))\n    print("connected")\n    while True:\n        s.sendall(b"x" * 65536)\n' +
        'print(open("/proc/%d/status" % os.getppid()).read())\n',
      { listen: true, concurrency: 2, keepStreamData: false },
    );
    const flood = agent.invoke({ scriptBody: String(agent.port) });
    await flood.printed('connected');
    for (let i = 0; i < 5; i += 1) {
      const outcome = await agent.call({ scriptBody: '' });
      expect(outcome.exited).toEqual({ code: 0 });
      expect(Number(/VmHWM:\s+(\d+) kB/.exec(outcome.stdout.toString())?.[1])).toBeLessThan(60_000);
    }
    agent.cancel(flood.id);
    expect((await flood.done).exited).toEqual({ signal: 'SIGKILL' });
    await agent.until(() => agent.streams[0]?.closed === true);
  });

  test('costs the runtime no descriptor', async () => {
    await using agent = await load(
      'import os, socket\nprint(len(os.listdir("/proc/%d/fd" % os.getppid())))\nsocket.create_connection(("message_queue", int(os.environ["HTTP_BODY"])))\n',
      { listen: true },
    );
    const counts: string[] = [];
    for (let i = 0; i < 30; i += 1) {
      counts.push((await agent.call({ scriptBody: String(agent.port) })).stdout.toString());
      await agent.until(() => agent.streams[i]?.closed === true);
    }
    // It may be making the next process, or not yet.
    expect(Math.max(...counts.map(Number)) - Math.min(...counts.map(Number))).toBeLessThan(10);
  });

  test('may run more often at once than it may open files', async () => {
    await using agent = await load('import os, resource\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))\n', {
      limits: { openFiles: 24 },
      concurrency: 60,
    });
    const outcomes = await Promise.all(Array.from({ length: 60 }, () => agent.call()));
    for (const outcome of outcomes) expect([outcome.stdout.toString(), outcome.exited]).toEqual(['(24, 24)\n', { code: 0 }]);
  });

  test.skipIf(!othersCanRun(python))('whose process can not be made fails, and the runtime lives', async () => {
    // The kernel counts processes per user, and doesn't count root's.
    await using agent = await load('import time\ntime.sleep(1000)\n', { limits: { processes: 5 }, concurrency: 10, uid: OTHER_USER });
    const calls = Array.from({ length: 10 }, () => agent.invoke());
    const failed = calls.map((call) => call.done.then((outcome) => outcome.failed?.type));
    expect(await Promise.race(failed)).toBe('ForkFailed');
    for (const call of calls) agent.cancel(call.id);
    expect((await Promise.all(failed)).filter((type) => type === 'ForkFailed').length).toBeGreaterThanOrEqual(5);
    const last = agent.invoke();
    agent.cancel(last.id);
    expect((await last.done).exited).toEqual({ signal: 'SIGKILL' });
  });

  test('runs in a process that was there before its invocation came', async () => {
    await using agent = await load('import gc, os\nprint(os.getpid(), os.getsid(0) == os.getpgrp() == os.getpid(), gc.isenabled())\n');
    for (let i = 0; i < 3; i += 1) {
      const spare = await spareOf(agent);
      expect((await agent.call()).stdout.toString()).toBe(`${spare} True True\n`);
    }
  });

  test('leaves the process that waits for the next run alone while ending its own', async () => {
    await using agent = await load('import os, subprocess, sys\nsubprocess.Popen(["sleep", "1000"], start_new_session=True)\nsys.stdin.read()\n', {
      concurrency: 2,
    });
    let spare = await spareOf(agent);
    for (let i = 0; i < 5; i += 1) {
      const call = agent.invoke();
      const next = await spareOf(agent, spare);
      expect((await call.done).exited).toEqual({ code: 0 });
      expect(running(next)).toBe(true);
      spare = next;
    }
  });

  test.each<[string, (spare: number) => void]>([
    ['killed', (spare) => void process.kill(spare, 'SIGKILL')],
    ['interrupted', (spare) => void process.kill(spare, 'SIGINT')],
  ])('runs all the same when the process that waited for it was %s', async (_how, end) => {
    await using agent = await load('import os\nprint(os.getpid())\n');
    for (let i = 0; i < 5; i += 1) {
      const spare = await spareOf(agent);
      end(spare);
      const outcome = await agent.call();
      expect([outcome.stderr.toString(), outcome.exited]).toEqual(['', { code: 0 }]);
    }
  });

  test('runs once when the process that waited for it is killed with the invocation in hand', async () => {
    await using agent = await load(
      'import os\nwith open("ran", "a") as file:\n    file.write(os.environ["HTTP_BODY"] + "\\n")\nprint(os.getpid())\n',
      {
        concurrency: 2,
      },
    );
    const spare = await spareOf(agent);
    process.kill(spare, 'SIGSTOP');
    const first = agent.invoke({ scriptBody: 'first' });
    await agent.call({ scriptBody: 'second' });
    process.kill(spare, 'SIGKILL');
    const outcome = await first.done;
    expect([outcome.stderr.toString(), outcome.exited]).toEqual(['', { code: 0 }]);
    expect(Number(outcome.stdout.toString())).not.toBe(spare);
    expect(await readFile(`${agent.temporary}/ran`, 'utf8')).toBe('second\nfirst\n');
  });

  test('does not run when it is cancelled before the process that waited for it took it', async () => {
    await using agent = await load('import os\nopen("ran", "a").write(os.environ["HTTP_BODY"])\n', { concurrency: 2 });
    process.kill(await spareOf(agent), 'SIGSTOP');
    const first = agent.invoke({ scriptBody: 'first' });
    await agent.call({ scriptBody: 'second' });
    agent.cancel(first.id);
    expect((await first.done).exited).toEqual({ signal: 'SIGKILL' });
    expect((await agent.call({ scriptBody: 'third' })).exited).toEqual({ code: 0 });
    expect(await readFile(`${agent.temporary}/ran`, 'utf8')).toBe('secondthird');
  });

  test('may kill every process of its parent, and runs again', async () => {
    await using agent = await load(
      'import os, time\nparent = os.getppid()\ndef others():\n    with open("/proc/%d/task/%d/children" % (parent, parent)) as file:\n' +
        '        return [int(pid) for pid in file.read().split() if int(pid) != os.getpid()]\n' +
        'for _ in range(200):\n    if others():\n        break\n    time.sleep(0.002)\nfor pid in others():\n    os.kill(pid, 9)\nprint("killed")\n',
    );
    for (let i = 0; i < 10; i += 1) {
      const outcome = await agent.call();
      expect([outcome.stderr.toString(), outcome.stdout.toString(), outcome.exited]).toEqual(['', 'killed\n', { code: 0 }]);
    }
  });

  test('leaves nothing waiting for it behind when the sandbox is shut down', async () => {
    await using agent = await load('pass\n');
    const spare = await spareOf(agent);
    agent.send(ToRuntime.Shutdown, 0);
    expect(await agent.exit()).toBe(0);
    expect(running(spare)).toBe(false);
  });

  test('leaves nothing waiting for it behind when the channel ends', async () => {
    await using agent = await load('pass\n');
    const spare = await spareOf(agent);
    agent.endChannel();
    expect(await agent.exit()).toBe(0);
    expect(running(spare)).toBe(false);
  });

  test('exits with 0 on Shutdown, once what runs has ended', async () => {
    await using agent = await load('import time\ntime.sleep(0.05)\nprint("done")\n');
    const call = agent.invoke();
    agent.send(ToRuntime.Shutdown, 0);
    expect((await call.done).stdout.toString()).toBe('done\n');
    expect(await agent.exit()).toBe(0);
  });

  test('dies with everything it started when the channel ends', async () => {
    await using agent = await load(
      'import subprocess, time, os\nprint(os.getpid(), subprocess.Popen(["sleep", "1000"], start_new_session=True).pid)\ntime.sleep(1000)\n',
    );
    const call = agent.invoke();
    let pids: number[] = [];
    call.done.catch(() => undefined);
    await call.printed('\n');
    pids = await childrenOf(agent.child.pid as number);
    expect(pids).toHaveLength(1);
    agent.endChannel();
    expect(await agent.exit()).toBe(0);
    expect(pids.map(running)).toEqual([false]);
  });

  test('ends the sandbox when it kills its parent, which the platform sees', async () => {
    await using agent = await load('import os\nos.kill(os.getppid(), 9)\n');
    const call = agent.invoke();
    await expect(call.done).rejects.toThrow();
    expect(await agent.exit()).toBe('SIGKILL');
  });
});
