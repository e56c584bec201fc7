import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Request } from './wrk.ts';

export interface Outcome {
  status: number;
  /** From the instant at which it was due, sent or not, to the end of its answer: a generator or server that falls behind can't hide it. */
  milliseconds: number;
  retryAfter: string | null;
  /** Milliseconds that the request was sent after it was due. */
  late: number;
}

/**
 * Requests at a constant rate, whether earlier ones are answered or not; wrk, a closed loop, waits for its answers and so never overloads anything.
 * Resolves when all are answered. @throws Error when a request gets no answer at all
 */
export async function openLoop(request: Request, perSecond: number, seconds: number): Promise<Outcome[]> {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 10_000 });
  const outcomes: Promise<Outcome>[] = [];
  try {
    const count = Math.round(perSecond * seconds);
    const start = performance.now();
    while (outcomes.length < count) {
      const due = Math.min(count, Math.floor(((performance.now() - start) * perSecond) / 1000) + 1);
      while (outcomes.length < due) {
        const outcome = send(request, agent, start + (outcomes.length * 1000) / perSecond);
        // Awaited below, all together; until then nobody would hear of its failure.
        outcome.catch(() => undefined);
        outcomes.push(outcome);
      }
      await sleep(1);
    }
    return await Promise.all(outcomes);
  } finally {
    agent.destroy();
  }
}

function send({ url, body }: Request, agent: Agent, dueAt: number): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const late = performance.now() - dueAt;
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const request = httpRequest(url, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.once('error', reject);
      response.once('end', () => {
        const { 'retry-after': retryAfter = null } = response.headers;
        resolve({ status: response.statusCode ?? 0, milliseconds: performance.now() - dueAt, retryAfter, late });
      });
    });
    request.once('error', reject);
    request.end(body);
  });
}
