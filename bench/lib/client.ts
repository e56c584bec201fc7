import { Agent, request as httpRequest } from 'node:http';
import { millisecondsSince } from './statistics.ts';
import type { Request } from './wrk.ts';

export interface Answer {
  /** From the first byte of the request to the last of the answer, over a connection that was open before. */
  milliseconds: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

/** Single calls, one after another, over one kept connection. */
export class Client implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  /** @throws Error when the answer is no 2xx */
  post({ url, body }: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const start = process.hrtime.bigint();
      const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
      const request = httpRequest(url, { method: 'POST', agent: this.#agent, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.once('error', reject);
        response.once('end', () => {
          const milliseconds = millisecondsSince(start);
          const status = response.statusCode ?? 0;
          if (status < 200 || status > 299) reject(new Error(`${url}: ${status} ${text.slice(0, 500)}`));
          else resolve({ milliseconds, headers: response.headers, body: text });
        });
      });
      request.once('error', reject);
      request.end(body);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
