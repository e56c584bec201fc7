import { PROGRAMS } from './folders.ts';
import { runCommand } from './run-command.ts';

export interface Request {
  url: string;
  /** JSON text; POSTed. */
  body: string;
  /** Beside Content-Type. */
  headers?: Readonly<Record<string, string>>;
}

/** What one run of wrk measured. Milliseconds. */
export interface Load {
  p50: number;
  p99: number;
  requestsPerSecond: number;
  requests: number;
  /** Of those, answered with 429, in so short a time that no other figure here means much then. */
  refused: number;
}

interface Report {
  requests: number;
  refused: number;
  duration_us: number;
  p50_us: number;
  p99_us: number;
  errors: Record<string, number>;
}

/**
 * Keeps so many connections busy, each with one request at a time (a closed loop), from one thread of wrk.
 * @param mayRefuse whether answers of 429 are counted rather than failures
 * @throws Error when a single request failed or was answered with 4xx or 5xx: such figures say nothing
 */
export async function load(request: Request, connections: number, seconds: number, mayRefuse = false): Promise<Load> {
  const args = [
    '-t',
    '1',
    '-c',
    String(connections),
    '-d',
    `${seconds}s`,
    '--timeout',
    '10s',
    '-s',
    `${PROGRAMS}post.lua`,
    request.url,
    '--',
    request.body,
    ...(mayRefuse ? ['refusals'] : []),
    ...Object.entries(request.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
  ];
  const stdout = await runCommand('wrk', args).catch((cause: Error) => {
    throw new Error(cause.message.endsWith('not installed') ? 'wrk, the load generator, is missing: apt-get install wrk' : cause.message, { cause });
  });
  const line = stdout.split('\n').findLast((text) => text.startsWith('{'));
  if (!line) throw new Error(`wrk reported nothing:\n${stdout}`);
  const report = JSON.parse(line) as Report;
  const failed = Object.entries(report.errors).filter(([, count]) => count > 0);
  if (failed.length > 0 || report.requests === 0) {
    throw new Error(
      `${request.url} at ${connections} connections: ${report.requests} answers, ${failed.map(([kind, n]) => `${n} × ${kind}`).join(', ')}`,
    );
  }
  return {
    p50: report.p50_us / 1000,
    p99: report.p99_us / 1000,
    requestsPerSecond: report.requests / (report.duration_us / 1e6),
    requests: report.requests,
    refused: report.refused,
  };
}
