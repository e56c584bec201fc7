import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { FunctionDefinition } from '../../src/schemas/function.ts';

/** Tells every run of a function by a datagram, so that what ran is known apart from what the platform wrote down. */
export class RunCounter {
  readonly port: number;
  /** By invocation id, the attempts that ran. */
  readonly runs = new Map<string, number[]>();
  readonly #close: () => void;

  private constructor(port: number, close: () => void) {
    this.port = port;
    this.#close = close;
  }

  static async listen(): Promise<RunCounter> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.setRecvBufferSize(4 * 1024 * 1024);
    const counter = new RunCounter(socket.address().port, () => socket.close());
    socket.on('message', (message) => {
      const [id, attempt] = message.toString().split(' ') as [string, string];
      counter.runs.set(id, [...(counter.runs.get(id) ?? []), Number(attempt)]);
    });
    return counter;
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

const TELL = (port: number) => `
import socket, time
_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def tell(message):
    headers = {name.lower(): value for name, value in message["headers"].items()}
    _socket.sendto(f'{headers["x-correlation-id"]} {headers["x-hearth-attempt"]}'.encode(), ("127.0.0.1", ${port}))
    return headers["x-correlation-id"]
`;

/** What is called, and how it has to end. */
export const EXPECTED: Record<string, { state: string; maxFailures: number }> = {
  quick: { state: 'succeeded', maxFailures: 0 },
  slow: { state: 'succeeded', maxFailures: 0 },
  broken: { state: 'failed', maxFailures: 2 },
};

export function definitions(port: number): FunctionDefinition[] {
  const define = (name: string, body: string, more: Partial<FunctionDefinition> = {}): FunctionDefinition => ({
    event_type: `http|POST|/${name}`,
    function_name: name,
    function_code: `${TELL(port)}\ndef handler(message, context):\n    id = tell(message)\n    ${body}\n`,
    network: 'host',
    ...more,
  });
  return [
    define('quick', 'return {"id": id, "number": message["body"]["number"]}'),
    define('slow', 'time.sleep(0.1); return {"id": id, "number": message["body"]["number"]}', { concurrency: 1, max_instances: 4 }),
    define('broken', 'raise RuntimeError("always")', { retry: { attempts: 2, min_backoff_ms: 20 } }),
  ];
}
