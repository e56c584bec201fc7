import { request as send } from 'node:http';
import { HearthError } from '../errors.ts';

/** What is kept of an answer's body, in bytes. */
export const MAX_ANSWER_BYTES = 1024 * 1024;

export interface GatewayCall {
  verb: string;
  /** With the query. */
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
}

export interface GatewayAnswer {
  status: number;
  /** Pairs of name and value, as they came. */
  headers: [string, string][];
  /** The first `MAX_ANSWER_BYTES` of it. */
  body: Buffer;
  /** Its length, what is left out included. */
  bytes: number;
  /** From the request to the end of the answer, in milliseconds. */
  durationMs: number;
}

/**
 * Calls a function as its callers do: at the gateway, whose routes, keys and limits hold here too. How long that may take is the function's affair.
 * @param gatewayUrl of this platform, and of nothing else: the caller has no say in where the request goes
 * @param signal ends it when who asked has left
 * @throws HearthError malformed_request for what HTTP can't carry; internal when the gateway breaks off
 */
export async function callGateway(gatewayUrl: string, { verb, path, headers, body }: GatewayCall, signal: AbortSignal): Promise<GatewayAnswer> {
  const { hostname, port } = new URL(gatewayUrl);
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => {
      const caller = cause instanceof TypeError;
      reject(
        new HearthError(
          caller ? 'malformed_request' : 'internal',
          caller ? `The call can't be sent: ${cause.message}.` : `The gateway broke the call off: ${cause.message}.`,
          { cause },
        ),
      );
    };
    try {
      const request = send({
        hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
        port,
        method: verb,
        path,
        headers: { ...headers, 'Content-Length': String(body.length) },
        agent: false,
        signal,
      });
      request.once('error', fail);
      request.once('response', (response) => {
        const kept: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          if (bytes < MAX_ANSWER_BYTES) kept.push(chunk.subarray(0, MAX_ANSWER_BYTES - bytes));
          bytes += chunk.length;
        });
        response.once('error', fail);
        response.once('end', () => {
          const raw = response.rawHeaders;
          const pairs = raw.flatMap((name, index): [string, string][] => (index % 2 === 0 ? [[name, raw[index + 1] as string]] : []));
          resolve({ status: response.statusCode as number, headers: pairs, body: Buffer.concat(kept), bytes, durationMs: performance.now() - began });
        });
      });
      request.end(body);
    } catch (error) {
      fail(error as Error);
    }
  });
}
