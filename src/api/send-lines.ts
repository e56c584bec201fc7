import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { LogPosition } from '../logs/log-position.ts';
import type { LinesAfter } from '../logs/thread/read-on.ts';
import type { LogLine } from '../schemas/log-line.ts';

export interface LineSource {
  /** Beside those of the stream. */
  headers: Record<string, string>;
  /** That come first. */
  lines: readonly LogLine[];
  /** Where those that come after them begin. */
  from: LogPosition;
  /** Id of the line at `from`, when its reader has it already. */
  seen: string | undefined;
  follow(place: { from: LogPosition; seen: string | undefined }, waitMs: number, signal: AbortSignal): Promise<LinesAfter>;
  /** The platform ends. */
  ending: AbortSignal;
  log: { warn(fields: object, message: string): void };
}

/** After which a quiet stream says that it is alive. */
const QUIET_MS = 15_000;
/** For browsers to wait before they come back. */
const RETRY_MS = 2000;

/**
 * Sends lines as server-sent events (HTML Living Standard §9.2) until the reader leaves or the platform ends. Reads on only when what it has sent is on its
 * way: a slow reader costs one answer of the log's, and is told when that had to pass something over.
 */
export async function sendLines(response: ServerResponse, source: LineSource): Promise<void> {
  const { ending, log } = source;
  const gone = new AbortController();
  const leave = () => gone.abort();
  response.once('close', leave);
  ending.addEventListener('abort', leave);
  if (ending.aborted || response.destroyed) leave();
  let { from, seen } = source;
  try {
    // The connection goes with the stream: kept alive it would hold up the end of the platform.
    const own = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no', Connection: 'close' };
    response.writeHead(200, { ...source.headers, ...own });
    await send(response, `retry: ${RETRY_MS}\n\n${source.lines.map(eventOf).join('')}`, gone.signal);
    while (!gone.signal.aborted) {
      const { lines, position, leftOutBytes } = await source.follow({ from, seen }, QUIET_MS, gone.signal);
      from = position;
      seen = undefined;
      const leftOut = leftOutBytes > 0 ? `event: left_out\ndata: ${JSON.stringify({ bytes: leftOutBytes })}\n\n` : '';
      await send(response, lines.length === 0 && leftOut === '' ? ': still there\n\n' : leftOut + lines.map(eventOf).join(''), gone.signal);
    }
  } catch (error) {
    if (!gone.signal.aborted) log.warn({ err: error }, 'a stream of lines broke off');
  } finally {
    response.off('close', leave);
    ending.removeEventListener('abort', leave);
    response.end();
  }
}

function eventOf(line: LogLine): string {
  return `id: ${line.id}\ndata: ${JSON.stringify(line)}\n\n`;
}

async function send(response: ServerResponse, text: string, gone: AbortSignal): Promise<void> {
  if (!response.write(text) && !gone.aborted) await once(response, 'drain', { signal: gone });
}
