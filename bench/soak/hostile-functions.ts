import { readFile } from 'node:fs/promises';
import type { FunctionDefinition } from '../../src/schemas/function.ts';
import { PROGRAMS } from '../lib/folders.ts';

/** A function that does harm, and what its caller may get. */
export interface HostileFunction {
  /** Its name and its path. */
  name: string;
  code: string;
  settings?: Partial<FunctionDefinition>;
  /** 429 and a broken-off answer besides: it is called faster than its few instances can serve. */
  statuses: readonly number[];
}

/** As an operator would bound other people's code. */
export const HOSTILE_SETTINGS: Partial<FunctionDefinition> = { timeout_ms: 1000, max_instances: 2, max_queue: 4, memory_mb: 128 };

const ENDED = [502, 504];
const ANSWERED_OR_ENDED = [200, 204, 502, 504];

const handler = (...lines: string[]): string => `def handler(message, context):\n${lines.map((line) => `    ${line}\n`).join('')}`;

const IGNORE_SIGNALS = ['for s in range(1, 65):', '    try: signal.signal(s, signal.SIG_IGN)', '    except (OSError, ValueError): pass'];
/** Forked twice, in a session of its own, deaf to signals, its descriptors closed. */
const DAEMON = [
  'import os, signal, time',
  'if os.fork() == 0:',
  '    os.setsid()',
  '    if os.fork(): os._exit(0)',
  ...IGNORE_SIGNALS.map((line) => `    ${line}`),
  '    os.closerange(0, 256)',
  '    time.sleep(1000)',
];

export const HOSTILE_FUNCTIONS: readonly HostileFunction[] = [
  {
    name: 'fork-bomb',
    code: handler('import os', 'while True:', '    try: os.fork()', '    except OSError: pass'),
    statuses: ENDED,
  },
  { name: 'fork-bomb-script', code: 'import os\nwhile True:\n    try: os.fork()\n    except OSError: pass', statuses: ENDED },
  { name: 'memory-bomb', code: handler('hoard = []', 'while True: hoard.append(bytearray(1 << 24))'), statuses: ENDED },
  {
    name: 'memory-in-children',
    code: handler(
      'import os, time',
      'for _ in range(20):',
      '    if os.fork() == 0:',
      '        hoard = bytearray(1 << 25)',
      '        time.sleep(1000)',
    ),
    statuses: ANSWERED_OR_ENDED,
  },
  {
    name: 'fill-tmp',
    code: handler(
      'import os',
      'for folder in ("/tmp", "/dev/shm"):',
      '    try:',
      '        for n in range(100000):',
      '            with open(f"{folder}/{n}", "wb", buffering=0) as file: file.write(bytes(1 << 20))',
      '    except OSError: pass',
      'return "full"',
    ),
    statuses: ANSWERED_OR_ENDED,
  },
  {
    name: 'fill-descriptors',
    code: handler('import os', 'kept = []', 'try:', '    while True: kept.append(os.open("/dev/null", os.O_RDONLY))', 'except OSError: os._exit(1)'),
    statuses: ENDED,
  },
  { name: 'flood-stdout', code: handler('import os', 'while True: os.write(1, b"x" * 65536)'), statuses: ENDED },
  { name: 'flood-lines', code: handler('import sys', 'while True: sys.stderr.write("\\n")'), statuses: ENDED },
  { name: 'flood-stdout-script', code: 'while True: print("x" * 10000)', statuses: ENDED },
  { name: 'large-reply', code: handler('return b"x" * 50_000_000'), statuses: ENDED },
  { name: 'endless-reply', code: handler('while True: yield b"x" * 65536'), statuses: [200, 504] },
  {
    name: 'huge-headers',
    code: handler('return {"statusCode": 200, "headers": {"X-%d" % n: "v" * 1000 for n in range(1000)}, "body": ""}'),
    statuses: ENDED,
  },
  {
    name: 'split-response',
    code: handler('return {"statusCode": 200, "headers": {"X-Evil": "a\\r\\nSet-Cookie: b=c"}, "body": ""}'),
    statuses: ENDED,
  },
  { name: 'spin', code: handler('import signal', ...IGNORE_SIGNALS, 'while True: pass'), settings: { timeout_ms: 500 }, statuses: ENDED },
  { name: 'spin-script', code: ['import signal', ...IGNORE_SIGNALS, 'while True: pass'].join('\n'), settings: { timeout_ms: 500 }, statuses: ENDED },
  { name: 'daemon', code: handler(...DAEMON, 'return "left one behind"'), statuses: ANSWERED_OR_ENDED },
  { name: 'daemon-script', code: DAEMON.join('\n'), statuses: ANSWERED_OR_ENDED },
  { name: 'kill-all', code: handler('import os', 'os.kill(-1, 9)'), statuses: ANSWERED_OR_ENDED },
  { name: 'kill-agent', code: handler('import os', 'os.kill(os.getpid(), 9)'), statuses: ENDED },
  { name: 'kill-agent-script', code: 'import os\nos.kill(os.getppid(), 9)', statuses: ENDED },
  { name: 'stop-agent-script', code: 'import os, time\nos.kill(os.getppid(), 19)\ntime.sleep(1000)', statuses: ENDED },
  { name: 'garbage-on-channel', code: handler('import os, random', 'os.write(3, random.randbytes(100000))', 'return "well"'), statuses: ENDED },
  { name: 'close-channel', code: handler('import os, time', 'os.close(3)', 'time.sleep(1000)'), statuses: ENDED },
  {
    name: 'flood-channel',
    code: handler('import os, struct', 'frame = struct.pack(">IBI", 1, 0x85, 1) + b"x"', 'while True: os.write(3, frame * 10000)'),
    statuses: ENDED,
  },
  { name: 'crash', code: handler('import ctypes', 'ctypes.string_at(0)'), statuses: ENDED },
  { name: 'crash-on-import', code: 'import os\nos._exit(3)\ndef handler(m, c): pass', statuses: ENDED },
  { name: 'import-fails', code: 'import there_is_no_such_module\ndef handler(m, c): pass', statuses: ENDED },
  { name: 'import-hangs', code: 'while True: pass\ndef handler(m, c): pass', statuses: ENDED },
];

/** Those that talk to the reply endpoint, by pika. */
export async function amqpFunctions(): Promise<HostileFunction[]> {
  const connect = (await readFile(`${PROGRAMS}echo.py`, 'utf8')).split('channel.basic_publish')[0] as string;
  const mine = 'headers["X-Correlation-Id"]';
  return [
    // Whoever publishes has answered, whatever becomes of it then.
    { name: 'amqp-flood', code: `${connect}while True: channel.basic_publish('', ${mine}, b"x" * 60000)`, statuses: ANSWERED_OR_ENDED },
    { name: 'amqp-channels', code: `${connect}while True: connection.channel()`, statuses: ENDED },
    {
      name: 'amqp-connections',
      code: `${connect}import socket, time\nkept = []\nwhile True:\n    try: kept.append(socket.create_connection((message_queue_uri, 5672)))\n    except OSError: time.sleep(0.01)`,
      statuses: ENDED,
    },
    { name: 'amqp-leave', code: `${connect}import os\nos._exit(0)`, statuses: ANSWERED_OR_ENDED },
  ];
}
