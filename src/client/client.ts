import type { Operations } from './operations.ts';

export type Operation = keyof Operations;
export type ResponseOf<Name extends Operation> = Operations[Name]['response'];

/** What an operation takes; `raw` stands for a body that is no JSON. */
type Taken<Name extends Operation> = Omit<Operations[Name], 'response'> & { raw?: RawBody; signal?: AbortSignal; headers?: Record<string, string> };
/** Whoever has nothing to say may leave it out. */
export type Arguments<Name extends Operation> =
  Record<never, never> extends Omit<Operations[Name], 'response'> ? [taken?: Taken<Name>] : [taken: Taken<Name>];

export interface RawBody {
  type: string;
  data: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** What the control plane refused, or what answered in its place. */
export class ApiProblem extends Error {
  readonly status: number;
  /** Null: that was no problem+json, and so perhaps no control plane. */
  readonly code: string | null;
  /** Further members of the problem. */
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(status: number, code: string | null, message: string, extra: Readonly<Record<string, unknown>>) {
    super(message);
    this.status = status;
    this.code = code;
    this.extra = extra;
  }
}

/** The control plane of a running platform, by the operations of its OpenAPI document. For Node.js and browsers alike. */
export class ApiClient {
  readonly #url: string;
  readonly #token: string | undefined;

  /** @param url of the control plane @param token for it, if it wants one */
  constructor(url: string, token?: string) {
    this.#url = url;
    this.#token = token;
  }

  /**
   * @returns the parsed JSON of the answer, or the Response itself where the operation answers with something else
   * @throws ApiProblem what it refused; TypeError, of fetch, when nothing answers
   */
  async call<Name extends Operation>(operation: Name, ...[taken]: Arguments<Name>): Promise<ResponseOf<Name>> {
    const { path, query, body, raw, signal, headers } = (taken ?? {}) as LooselyTaken;
    const [method = '', template = ''] = operation.split(' ');
    const url = new URL(
      template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(path?.[name]))),
      this.#url,
    );
    for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) url.searchParams.set(name, String(value));
    const sent = body === undefined ? raw : { type: 'application/json', data: JSON.stringify(body) };
    const response = await fetch(url, {
      method,
      headers: {
        ...(this.#token === undefined ? {} : { Authorization: `Bearer ${this.#token}` }),
        ...(sent === undefined ? {} : { 'Content-Type': sent.type }),
        ...headers,
      },
      ...(sent === undefined ? {} : { body: sent.data }),
      // What fetch wants to be told of a stream.
      ...(sent?.data instanceof ReadableStream ? { duplex: 'half' } : {}),
      ...(signal === undefined ? {} : { signal }),
    });
    if (!response.ok) throw await problemOf(response);
    return (isJson(response) ? await response.json() : response) as ResponseOf<Name>;
  }
}

interface LooselyTaken {
  path?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
  raw?: RawBody;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

function isJson(response: Response): boolean {
  return /^application\/([a-z.+-]+\+)?json\b/.test(response.headers.get('content-type') ?? '');
}

async function problemOf(response: Response): Promise<ApiProblem> {
  const text = await response.text();
  const { code, detail, title, ...extra } = (isJson(response) ? JSON.parse(text) : {}) as { code?: string; detail?: string; title?: string };
  return new ApiProblem(response.status, code ?? null, detail ?? title ?? `The answer was ${response.status}, and not a control plane's.`, extra);
}
