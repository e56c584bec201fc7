import { Agent, request } from 'node:http';

export interface SyncFailure {
  node: string;
  /** Status and code of the answer, or the error's code when there was none. */
  why: string;
  startedAt: number;
  endedAt: number;
}

interface Target {
  node: string;
  gateway: string;
}

/** Calls each node at a constant rate and waits for the answers, as people do; keeps every call that was not answered as it should. Instants by performance.now(). */
export class SyncCallers {
  readonly failures: SyncFailure[] = [];
  answered = 0;
  #targets: readonly Target[] = [];
  readonly #open = new Map<object, Target>();
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #timer: NodeJS.Timeout;
  #number = 0;

  /** @param everyMs between two calls of one node */
  constructor(everyMs: number) {
    this.#timer = setInterval(() => {
      for (const target of this.#targets) this.#send(target);
    }, everyMs);
  }

  aim(targets: readonly Target[]): void {
    this.#targets = targets;
  }

  /** Calls of that node which have no answer yet. */
  openAt(node: string): number {
    return [...this.#open.values()].filter((target) => target.node === node).length;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    while (this.#open.size > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    this.#agent.destroy();
  }

  #send(target: Target): void {
    const number = this.#number++;
    const call = {};
    this.#open.set(call, target);
    const startedAt = performance.now();
    const end = (why: string | null): void => {
      if (!this.#open.delete(call)) return;
      if (why === null) this.answered++;
      else this.failures.push({ node: target.node, why, startedAt, endedAt: performance.now() });
    };
    const sent = request(
      `${target.gateway}/answer`,
      { method: 'POST', agent: this.#agent, timeout: 60_000, headers: { 'Content-Type': 'application/json' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => end(judge(response.statusCode, text, number)));
        response.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
      },
    );
    sent.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    sent.on('timeout', () => sent.destroy(new Error('no answer within 60 s')));
    sent.end(JSON.stringify({ number }));
  }
}

/** Null: as it should be. */
function judge(status: number | undefined, text: string, number: number): string | null {
  const body = parse(text);
  if (status !== 200) return `${status} ${body?.code ?? text.slice(0, 100)}`;
  return body?.number === number ? null : `200 with the answer to another call: ${text.slice(0, 100)}`;
}

function parse(text: string): { number?: number; code?: string } | null {
  try {
    return JSON.parse(text) as { number?: number; code?: string };
  } catch {
    return null;
  }
}
