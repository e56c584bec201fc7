import { Agent, request as send } from 'node:http';
import { HearthError } from '../../errors.ts';
import { call, type Target } from '../api-client.ts';
import { unreachable } from '../cli-error.ts';
import { duration, printJson } from '../print.ts';
import { table } from '../table.ts';
import { parseHeaders, readPayload } from './payload.ts';

interface BenchOptions extends Target {
  gateway: string;
  data?: string;
  header: string[];
  path?: string;
  connections: number;
  /** Seconds. */
  duration: number;
  json?: boolean;
}

interface Call {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
}

/** `hearth bench`: calls a function over and over, each connection as soon as it has its answer, and tells how long that took. It shares the machine with what it measures. */
export async function bench(functionName: string, options: BenchOptions): Promise<void> {
  const { event_type: on } = await call(options, 'GET /functions/{function_name}', { path: { function_name: functionName } });
  const [kind, verb = '*', path = '/'] = on.split('|');
  if (kind !== 'http') throw new HearthError('invalid_request', `${functionName} is not called by HTTP: its event key is ${on}.`);
  const payload = await readPayload(options.data);
  const asked: Call = {
    url: new URL(options.path ?? path, options.gateway),
    method: verb === '*' ? (payload ? 'POST' : 'GET') : verb,
    headers: { ...(payload ? { 'Content-Type': payload.type } : {}), ...Object.fromEntries(parseHeaders(options.header)) },
    body: payload?.data,
  };
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections });
  const took: number[] = [];
  const statuses = new Map<number, number>();
  let cold = 0;
  const began = performance.now();
  const end = began + options.duration * 1000;
  const connection = async (): Promise<void> => {
    do {
      const start = performance.now();
      const { status, wasCold } = await once(agent, asked);
      took.push(performance.now() - start);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (wasCold) cold++;
    } while (performance.now() < end);
  };
  try {
    await Promise.all(Array.from({ length: options.connections }, connection));
  } finally {
    agent.destroy();
  }
  report(took, statuses, cold, performance.now() - began, options);
}

function once(agent: Agent, { url, method, headers, body }: Call): Promise<{ status: number; wasCold: boolean }> {
  return new Promise((resolve, reject) => {
    const sent = send(url, { agent, method, headers: { ...headers, ...(body ? { 'Content-Length': body.length } : {}) } }, (response) => {
      response.resume();
      response.once('end', () => resolve({ status: response.statusCode ?? 0, wasCold: response.headers['x-hearth-start'] === 'cold' }));
      response.once('error', reject);
    });
    sent.once('error', (cause) =>
      reject(unreachable(`The gateway at ${url.origin} does not answer, or broke off: ${cause.message}. Name its address with --gateway.`, cause)),
    );
    sent.end(body);
  });
}

function report(took: number[], statuses: ReadonlyMap<number, number>, cold: number, ms: number, { json, connections }: BenchOptions): void {
  took.sort((a, b) => a - b);
  const percentile = (share: number): number => took[Math.min(took.length - 1, Math.floor(share * took.length))] as number;
  const result = {
    calls: took.length,
    connections,
    calls_per_s: (took.length * 1000) / ms,
    p50_ms: percentile(0.5),
    p90_ms: percentile(0.9),
    p99_ms: percentile(0.99),
    max_ms: took.at(-1) as number,
    cold,
    statuses: Object.fromEntries([...statuses].sort(([a], [b]) => a - b)),
  };
  if (json) printJson(result);
  else {
    const said = Object.entries(result.statuses).map(([status, count]) => `${count} × ${status}`);
    process.stdout.write(
      table([
        ['calls', `${result.calls} over ${connections} connections, ${result.calls_per_s.toFixed(1)} a second`],
        ['statuses', said.join(', ')],
        ['cold', String(cold)],
        ['p50', duration(result.p50_ms)],
        ['p90', duration(result.p90_ms)],
        ['p99', duration(result.p99_ms)],
        ['slowest', duration(result.max_ms)],
      ]),
    );
  }
  if ([...statuses.keys()].some((status) => status >= 400)) process.exitCode = 1;
}
