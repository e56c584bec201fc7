import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { HearthError } from '../../errors.ts';

/** An answer of the engine that is no success (2xx). */
export class EngineRefusal extends Error {
  override readonly name = 'EngineRefusal';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface EngineCall {
  method: 'GET' | 'POST' | 'DELETE';
  /** Without the version: `/containers/json`. */
  path: string;
  query?: Readonly<Record<string, string>>;
  /** Sent as JSON; a Buffer as application/x-tar. */
  body?: object | undefined;
  /** Milliseconds without a byte from the engine; 0: it may take for ever (waiting for a container to end). Default 60 000. */
  silenceMs?: number;
}

const SILENCE_MS = 60_000;
const LONGEST_MESSAGE = 16 * 1024 * 1024;
/** The newest version that this client was written for; older engines are asked by theirs. */
const NEWEST_API = [1, 51] as const;
/** Docker 20.10: CgroupnsMode, `wait` that can't miss an end. */
const OLDEST_API = [1, 41] as const;

/**
 * HTTP to a Docker Engine over its unix socket (https://docs.docker.com/reference/api/engine/). Where the engine is gone, everything rejects with
 * sandbox_unavailable, and works again once it is back: there is no connection to set up anew.
 */
export class EngineClient {
  readonly socketPath: string;
  /** Of a burst, one idle connection is left. */
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64, maxFreeSockets: 1 });
  /** What waits for as long as it takes. */
  readonly #endless = new Set<ClientRequest>();
  #version: Promise<string> | undefined;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** The JSON of the answer; undefined for an empty one. @throws EngineRefusal, HearthError sandbox_unavailable */
  async json<T>(call: EngineCall): Promise<T> {
    const response = await this.#send(call, await this.version());
    const text = await readAll(response).catch((cause: unknown) => Promise.reject(this.gone(cause)));
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** The body as it comes. @throws EngineRefusal, HearthError sandbox_unavailable */
  async stream(call: EngineCall): Promise<Readable> {
    return this.#send(call, await this.version());
  }

  /** The raw connection after the engine has agreed to hand it over (attach). @throws EngineRefusal, HearthError sandbox_unavailable */
  async hijack(call: EngineCall): Promise<Duplex> {
    const version = await this.version();
    return new Promise((resolve, reject) => {
      const sent = request({
        socketPath: this.socketPath,
        method: call.method,
        path: pathOf(call, version),
        headers: { Connection: 'Upgrade', Upgrade: 'tcp', Host: 'docker' },
        agent: false,
        timeout: SILENCE_MS,
      });
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${SILENCE_MS} ms`)));
      sent.on('upgrade', (_, socket, head) => {
        // From now on it may be silent for as long as it likes.
        socket.setTimeout(0);
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      sent.on('response', (response) => void refusal(response).then(reject, (cause: unknown) => reject(this.gone(cause))));
      sent.on('error', (cause) => reject(this.gone(cause)));
      sent.end();
    });
  }

  /** Of the API, the newest that both know, as it stands in paths: `v1.41`. @throws HearthError sandbox_unavailable */
  version(): Promise<string> {
    this.#version ??= this.#negotiate().catch((error: unknown) => {
      this.#version = undefined;
      throw error;
    });
    return this.#version;
  }

  close(): void {
    this.#agent.destroy();
    for (const sent of this.#endless) sent.destroy(new Error('the driver is closed'));
  }

  gone(cause: unknown): HearthError {
    const code = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
    const way =
      code === 'EACCES'
        ? 'The platform may not open it: let its user into the group of the socket (usually docker), or name another one by HEARTH_DOCKER_SOCKET.'
        : 'Start it (systemctl start docker), or name its socket by HEARTH_DOCKER_SOCKET. The platform goes on by itself once the engine answers.';
    return new HearthError('sandbox_unavailable', `The Docker Engine at ${this.socketPath} does not answer (${code}). ${way}`, {
      cause,
      retryAfter: 5,
    });
  }

  async #negotiate(): Promise<string> {
    const { ApiVersion = '' } = JSON.parse(await readAll(await this.#send({ method: 'GET', path: '/version' }, undefined))) as {
      ApiVersion?: string;
    };
    const [major = 0, minor = 0] = ApiVersion.split('.').map(Number);
    if (major !== OLDEST_API[0] || minor < OLDEST_API[1]) {
      throw new HearthError(
        'sandbox_unavailable',
        `The Docker Engine at ${this.socketPath} speaks version ${ApiVersion} of its API; ${OLDEST_API.join('.')} (Docker 20.10) or later is needed.`,
      );
    }
    return `v${major}.${Math.min(minor, NEWEST_API[1])}`;
  }

  #send(call: EngineCall, version: string | undefined): Promise<IncomingMessage> {
    const { method, body, silenceMs = SILENCE_MS } = call;
    const content = body === undefined ? undefined : Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const sent = request({
        socketPath: this.socketPath,
        method,
        path: pathOf(call, version),
        headers: {
          Host: 'docker',
          ...(content === undefined
            ? {}
            : { 'Content-Type': Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json', 'Content-Length': content.length }),
        },
        // What waits for ever must not take the place of what is short.
        agent: silenceMs === 0 ? false : this.#agent,
        timeout: silenceMs,
      });
      if (silenceMs === 0) {
        this.#endless.add(sent);
        sent.on('close', () => this.#endless.delete(sent));
      }
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${silenceMs} ms`)));
      sent.on('error', (cause) => reject(this.gone(cause)));
      sent.on('response', (response) => {
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve(response);
        else refusal(response).then(reject, (cause: unknown) => reject(this.gone(cause)));
      });
      sent.end(content);
    });
  }
}

function pathOf({ path, query }: EngineCall, version: string | undefined): string {
  const search = new URLSearchParams(query).toString();
  return `${version === undefined ? '' : `/${version}`}${path}${search === '' ? '' : `?${search}`}`;
}

async function refusal(response: IncomingMessage): Promise<EngineRefusal> {
  const text = await readAll(response);
  let message = text.trim();
  try {
    message = (JSON.parse(text) as { message?: string }).message ?? message;
  } catch {
    // Not every answer is JSON.
  }
  return new EngineRefusal(response.statusCode ?? 0, message);
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LONGEST_MESSAGE) throw new Error('its answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
