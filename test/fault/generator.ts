import { appendFileSync } from 'node:fs';
import { Agent, request } from 'node:http';

/** An invocation that was answered by 202. */
export interface AcceptedCall {
  id: string;
  functionName: string;
  number: number;
}

/** Asks for asynchronous invocations at a constant rate, whoever answers, and keeps the id of every one that was accepted: in memory, and in a file for a look afterwards. */
export class Generator {
  readonly accepted: AcceptedCall[] = [];
  /** By status, or by the error's code when there was no answer. */
  readonly refused = new Map<string, number>();
  #gateways: readonly string[] = [];
  #sent = 0;
  #open = 0;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #timer: NodeJS.Timeout;
  readonly #logFile: string;
  readonly #startedAt = performance.now();

  constructor(ratePerSecond: number, logFile: string) {
    this.#logFile = logFile;
    let due = 0;
    this.#timer = setInterval(() => {
      due = ((performance.now() - this.#startedAt) / 1000) * ratePerSecond;
      // What could not be sent while nobody was there is not made up for.
      if (due - this.#sent > ratePerSecond) this.#sent = Math.floor(due);
      while (this.#sent < due) this.#send();
    }, 5);
  }

  /** Where to send, in turn; none: nowhere. */
  aim(...gateways: readonly string[]): void {
    this.#gateways = gateways;
  }

  /** Sends nothing more; resolves when all have been answered, or cut off. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    while (this.#open > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    this.#agent.destroy();
  }

  #send(): void {
    const number = this.#sent++;
    const gateway = this.#gateways[number % this.#gateways.length];
    if (gateway === undefined) return;
    const functionName = number % 50 === 0 ? 'broken' : number % 20 === 0 ? 'slow' : 'quick';
    this.#open++;
    let answered = false;
    const sent = request(
      `${gateway}/${functionName}`,
      { method: 'POST', agent: this.#agent, timeout: 10_000, headers: { Prefer: 'respond-async', 'Content-Type': 'application/json' } },
      (response) => {
        answered = true;
        const id = response.headers['x-correlation-id'];
        if (response.statusCode === 202 && typeof id === 'string') {
          // The head has come whole, so the promise was given, whatever becomes of the connection now.
          this.accepted.push({ id, functionName, number });
          appendFileSync(this.#logFile, `${id} ${functionName} ${number}\n`);
        } else this.#refuse(String(response.statusCode));
        response.resume();
        response.on('error', () => undefined);
        response.on('close', () => this.#open--);
      },
    );
    let failed = false;
    sent.on('error', (error: NodeJS.ErrnoException) => {
      if (failed || answered) return;
      failed = true;
      this.#open--;
      this.#refuse(error.code ?? error.message);
    });
    sent.on('timeout', () => sent.destroy());
    sent.end(JSON.stringify({ number }));
  }

  #refuse(why: string): void {
    this.refused.set(why, (this.refused.get(why) ?? 0) + 1);
  }
}
