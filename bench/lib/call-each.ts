import { type Answer, Client } from './client.ts';
import { millisecondsSince } from './statistics.ts';
import type { Request } from './wrk.ts';

export interface Calls {
  answers: Answer[];
  /** From the first request to the last answer. */
  milliseconds: number;
}

/** Sends each request once, so many at a time, over as many connections. @throws Error with the first answer that is no 2xx */
export async function callEach(requests: readonly Request[], concurrency: number): Promise<Calls> {
  const answers: Answer[] = [];
  const waiting = requests.values();
  const start = process.hrtime.bigint();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      using client = new Client();
      for (const request of waiting) answers.push(await client.post(request));
    }),
  );
  return { answers, milliseconds: millisecondsSince(start) };
}
