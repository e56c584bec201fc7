import { Agent, request } from 'node:http';

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** As it came; what came of it when it was broken off. */
  body: string;
  whole: boolean;
}

export interface Question {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Milliseconds for the whole answer. */
  timeoutMs?: number;
}

/** A caller with connections of its own, which end with it. */
export class Caller implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 });

  /** @throws Error when no answer came in time, or the connection was lost before its head */
  ask(url: string, { method = 'GET', headers = {}, body, timeoutMs = 60_000 }: Question = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const sent = request(url, { method, headers, agent: this.#agent, signal }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          // Endless answers are not to be kept.
          if (text.length < 1 << 20) text += piece;
        });
        response.on('error', () => undefined);
        response.on('close', () => {
          if (signal.aborted) reject(new Error(`the answer ${response.statusCode} did not end within ${timeoutMs} ms`));
          else resolve({ status: response.statusCode as number, headers: response.headers, body: text, whole: response.complete });
        });
      });
      sent.on('error', (error) => reject(signal.aborted ? new Error(`no answer within ${timeoutMs} ms`) : error));
      sent.end(body);
    });
  }

  /** JSON out, JSON back. @throws Error besides when the status is none of those named */
  async json(
    url: string,
    question: Omit<Question, 'body'> & { body?: unknown },
    statuses: readonly number[] = [200],
  ): Promise<Record<string, unknown>> {
    const { body, headers = {}, ...rest } = question;
    const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const answer = await this.ask(url, { ...rest, headers: { ...type, ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    if (!statuses.includes(answer.status))
      throw new Error(`${rest.method ?? 'GET'} ${new URL(url).pathname}: ${answer.status} ${answer.body.slice(0, 500)}`);
    return JSON.parse(answer.body) as Record<string, unknown>;
  }

  /** Ends its connections; the next question opens one. */
  close(): void {
    this.#agent.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
