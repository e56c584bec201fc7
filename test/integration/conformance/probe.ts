import { hash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Hearth, RecordOnTheWire } from '../../support/hearth.ts';
import { nameOf, type Way } from './ways.ts';

/** A request as the cases send it. */
export interface Sent {
  method?: string;
  /** What follows the way's own path: `/:id/*` and a query. */
  target?: string;
  /** Names and values; repeated ones are sent repeatedly. */
  headers?: readonly (readonly [string, string])[];
  body?: string | Buffer;
  /** Without a Content-Length, in pieces. */
  chunked?: boolean;
  /** Which of the way's functions: the ordinary one, one of a short timeout, one of little memory. */
  of?: '' | '-slow' | '-small';
}

export interface Answer {
  status: number;
  headers: [string, string][];
  body: Buffer;
}

/** What a probe is told to do; see probes/common.py. */
export type Order =
  | { act: 'answer'; status?: number; headers?: [string, string][]; text?: string; base64?: string; size?: number }
  | { act: 'answer'; value: unknown }
  | { act: 'answer'; pieces: string[]; each: number }
  | { act: 'print'; out: string; err: string }
  | { act: 'invoke'; function: string; payload: unknown }
  | { act: 'raise' | 'hang' | 'fill' | 'exit' };

export interface Body {
  length: number;
  sha256: string;
  /** Of short ones. */
  base64: string | null;
}

/** What a function saw, in the same members whatever the way; null: it is not told. */
export interface Seen {
  method: string;
  path: string;
  /** Path and query. */
  target: string;
  query: string;
  /** The values of each parameter. */
  queries: Record<string, string[]>;
  headers: [string, string][];
  params: Record<string, string> | null;
  body: Body;
  /** The body of a JSON request as the function is given it. */
  parsed: unknown;
  /** Milliseconds since 1970. */
  deadline: number | null;
  name: string | null;
  version?: string;
  secret: string | null;
  environment: Record<string, string>;
  folder: string;
  /** Those of some folders in which it could make a file. */
  writable: string[];
}

/** Calls the functions of one way. */
export class Probe {
  readonly way: Way;
  readonly hearth: Hearth;

  constructor(way: Way, hearth: Hearth) {
    this.way = way;
    this.hearth = hearth;
  }

  /** The path of the function that a request would be sent to, with its target. */
  pathOf({ target = '/7/rest', of = '' }: Sent): string {
    return `/${nameOf(this.way)}${of}${target}`;
  }

  send(sent: Sent = {}): Promise<Answer> {
    const { hostname, port } = new URL(this.hearth.gateway);
    const { method = 'POST', headers = [], body, chunked = false } = sent;
    const framing = body === undefined ? [] : chunked ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(Buffer.byteLength(body))];
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        {
          hostname,
          port,
          method,
          path: this.pathOf(sent),
          agent: false,
          headers: ['Host', `${hostname}:${port}`, ...headers.flat(), ...framing],
          setDefaultHeaders: false,
        },
        (response) => {
          const { statusCode = 0, rawHeaders } = response;
          const pairs = rawHeaders.flatMap((name, at) => (at % 2 ? [] : [[name, rawHeaders[at + 1]] as [string, string]]));
          buffer(response).then((all) => resolve({ status: statusCode, headers: pairs, body: all }), reject);
        },
      );
      request.on('error', reject);
      if (body !== undefined && chunked) {
        const bytes = Buffer.from(body);
        for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 5)) request.write(bytes.subarray(at, at + Math.ceil(bytes.length / 5)));
        request.end();
      } else request.end(body);
    });
  }

  /** Has the function do something. */
  order(order: Order, sent: Sent = {}): Promise<Answer> {
    const told = Buffer.from(JSON.stringify(order)).toString('base64');
    return this.send({ ...sent, headers: [...(sent.headers ?? []), ['X-Do', told]] });
  }

  /** What the function saw of a request. */
  async report(sent: Sent = {}): Promise<Seen> {
    return seenIn(await this.send(sent));
  }

  /** The record of an answered call, once it is as it should be. */
  record({ headers }: Answer, as: (record: RecordOnTheWire) => boolean = () => true): Promise<RecordOnTheWire> {
    const id = headers.find(([name]) => name.toLowerCase() === 'x-correlation-id')?.[1];
    return this.hearth.recordWhere((record) => record.id === id && as(record));
  }
}

/** @throws Error with the answer when it is no report */
function seenIn({ status, body }: Answer): Seen {
  if (status !== 200) throw new Error(`${status} ${body.subarray(0, 500)}`);
  const value = JSON.parse(body.toString());
  const event = value.version === '2.0' ? value : value.event;
  if (!event) return value;
  const bytes = Buffer.from(value.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  return { ...value, ...seenOfEvent(event), body: event === value ? describe(bytes) : value.body };
}

export function describe(bytes: Buffer): Body {
  return { length: bytes.length, sha256: hash('sha256', bytes), base64: bytes.length <= 4096 ? bytes.toString('base64') : null };
}

/** The members of Lambda's event under the names of the others. */
function seenOfEvent(event: LambdaEvent): Partial<Seen> {
  const { rawPath, rawQueryString: query, cookies = [] } = event;
  return {
    method: event.requestContext.http.method,
    path: rawPath,
    target: query === '' ? rawPath : `${rawPath}?${query}`,
    query,
    queries: Object.fromEntries(Object.entries(event.queryStringParameters ?? {}).map(([name, value]) => [name, [value]])),
    headers: [...Object.entries(event.headers), ...cookies.map((cookie): [string, string] => ['cookie', cookie])],
    params: event.pathParameters ?? null,
    parsed: null,
  };
}

interface LambdaEvent {
  rawPath: string;
  rawQueryString: string;
  headers: Record<string, string>;
  cookies?: string[];
  queryStringParameters?: Record<string, string>;
  pathParameters?: Record<string, string>;
  requestContext: { http: { method: string } };
  isBase64Encoded: boolean;
}
