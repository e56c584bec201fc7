import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** One answer, taken apart. */
export interface RawAnswer {
  status: number;
  version: string;
  /** Names in lower case; of repeated ones the last. */
  headers: Record<string, string>;
  body: string;
}

/** A TCP connection of which the test writes every byte, and sees every byte that comes back (as Latin-1). */
export class RawConnection {
  readonly socket: Socket;
  received = '';
  /** The other side has ended its half, or all of it. */
  ended = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
    });
    socket.on('error', () => undefined);
    for (const event of ['end', 'close']) socket.on(event, () => (this.ended = true));
  }

  static async open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    const connection = new RawConnection(socket);
    await once(socket, 'connect');
    return connection;
  }

  /** Bytes as they are, text as Latin-1. */
  send(bytes: string | Buffer): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  /** Ends our half, and goes on reading. */
  finish(): this {
    this.socket.end();
    return this;
  }

  /** Waits for the other side to end. The bound is for a test that would else hang. @returns everything received */
  async closed(timeoutMs = 15_000): Promise<string> {
    await this.#until(() => this.ended, timeoutMs);
    this.socket.destroy();
    return this.received;
  }

  /** Waits until what was received fits. @returns everything received */
  async until(enough: (received: string) => boolean, timeoutMs = 15_000): Promise<string> {
    await this.#until(() => enough(this.received) || this.ended, timeoutMs);
    return this.received;
  }

  async #until(enough: () => boolean, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!enough()) {
      if (Date.now() > deadline) {
        throw new Error(`what was waited for did not come within ${timeoutMs} ms; so far: ${JSON.stringify(this.received.slice(0, 500))}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Sends bytes on a connection of its own and gives everything that comes until the other side ends it, or until it `enough`. */
export async function exchange(url: string, bytes: string | Buffer, enough?: (received: string) => boolean, timeoutMs?: number): Promise<string> {
  using connection = await RawConnection.open(url);
  connection.send(bytes);
  // Awaited here: on return the connection is gone.
  return await (enough ? connection.until(enough, timeoutMs) : connection.closed(timeoutMs));
}

/** Whether so many final answers have come whole. */
export function whole(count: number): (received: string) => boolean {
  return (received) => {
    try {
      return parseAnswers(received).filter(({ status }) => status >= 200).length >= count;
    } catch {
      return false;
    }
  };
}

/**
 * Cuts what a server sent into answers, as strictly as RFC 9112 has it; interim ones (1xx) are among them. @throws Error when it is no sequence of whole answers
 * @param toHead the requests were HEAD: no answer has a body
 */
export function parseAnswers(received: string, toHead = false): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = received;
  while (rest.length > 0) {
    const end = rest.indexOf('\r\n\r\n');
    const lines = end < 0 ? [] : rest.slice(0, end).split('\r\n');
    const status = /^HTTP\/(1\.[01]) (\d{3}) [\x20-\x7e]*$/.exec(lines[0] ?? '');
    if (!status) throw new Error(`no whole answer at ${JSON.stringify(rest.slice(0, 300))}`);
    const headers: Record<string, string> = {};
    for (const line of lines.slice(1)) {
      const field = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\t\x20-\x7e\x80-\xff]*)$/.exec(line);
      if (!field) throw new Error(`no header: ${JSON.stringify(line)}`);
      headers[(field[1] as string).toLowerCase()] = field[2] as string;
    }
    rest = rest.slice(end + 4);
    const code = Number(status[2]);
    let body = '';
    if (!toHead && code >= 200 && code !== 204 && code !== 304) {
      if (headers['transfer-encoding'] === 'chunked') [body, rest] = takeChunks(rest);
      else if (headers['content-length'] === undefined) [body, rest] = [rest, ''];
      else {
        const length = Number(headers['content-length']);
        if (rest.length < length) throw new Error(`a body of ${rest.length} bytes where ${length} were announced`);
        [body, rest] = [rest.slice(0, length), rest.slice(length)];
      }
    }
    answers.push({ status: code, version: status[1] as string, headers, body });
  }
  return answers;
}

function takeChunks(text: string): [body: string, rest: string] {
  let body = '';
  let rest = text;
  for (;;) {
    const size = /^([0-9a-fA-F]+)\r\n/.exec(rest);
    const length = Number.parseInt(size?.[1] ?? '', 16);
    const from = size?.[0].length ?? 0;
    if (!size || rest.slice(from + length, from + length + 2) !== '\r\n') throw new Error(`no whole chunk at ${JSON.stringify(rest.slice(0, 100))}`);
    body += rest.slice(from, from + length);
    rest = rest.slice(from + length + 2);
    if (length === 0) return [body, rest];
  }
}
