import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../keep-alive/random.ts';
import type { BenchPlatform } from '../lib/platform.ts';
import { ASYNC_FUNCTIONS, invokeLater } from './asynchronous.ts';
import type { Caller } from './caller.ts';
import { churn } from './control-plane.ts';
import { HOSTILE_CLIENTS, type HostileClient, TARGETS } from './hostile-clients.ts';
import { amqpFunctions, HOSTILE_FUNCTIONS, HOSTILE_SETTINGS, type HostileFunction } from './hostile-functions.ts';
import type { Ledger } from './ledger.ts';
import { type Neighbour, neighbours } from './neighbours.ts';
import { queuesOf } from './samples.ts';

/** At a time, so that two cores carry them and the platform. */
const HOSTILE_CALLERS = 3;
const HOSTILE_CLIENT_COUNT = 3;
/** Who waits for longer for a hostile function of a deadline of a second waits for ever. */
const HOSTILE_ANSWER_MS = 20_000;
const PAUSE_MS = { neighbour: 40, hostile: 30, client: 30, churn: 400, later: 150 } as const;

/** Everything that is done to a platform. */
export class Load {
  readonly #platform: BenchPlatform;
  readonly #caller: Caller;
  readonly #ledger: Ledger;
  readonly #random: Random;
  readonly #hostile: readonly HostileFunction[];
  readonly #neighbours: readonly Neighbour[];
  #count = 0;

  private constructor(platform: BenchPlatform, caller: Caller, ledger: Ledger, seed: number, hostile: HostileFunction[], good: Neighbour[]) {
    this.#platform = platform;
    this.#caller = caller;
    this.#ledger = ledger;
    this.#random = new Random(seed);
    this.#hostile = hostile;
    this.#neighbours = good;
  }

  /** Registers all functions. */
  static async prepare(platform: BenchPlatform, caller: Caller, ledger: Ledger, seed: number): Promise<Load> {
    const hostile = [...HOSTILE_FUNCTIONS, ...(await amqpFunctions())];
    const good = await neighbours();
    const definitions = [
      ...good.map(({ definition }) => definition),
      ...ASYNC_FUNCTIONS,
      ...Object.entries(TARGETS).map(([name, { eventKey, code }]) => ({
        event_type: eventKey,
        function_name: `target-${name}`,
        function_code: code,
        max_instances: 2,
        max_queue: 16,
        timeout_ms: 10_000,
      })),
      ...hostile.map(({ name, code, settings }) => ({
        event_type: `http|*|/hostile/${name}`,
        function_name: name,
        function_code: code,
        ...HOSTILE_SETTINGS,
        ...settings,
      })),
    ];
    for (const body of definitions) await caller.json(`${platform.api}/functions`, { method: 'POST', body });
    return new Load(platform, caller, ledger, seed, hostile, good);
  }

  /** Everything once: what is made when it is needed first has been made then. */
  async once(): Promise<void> {
    for (const neighbour of this.#neighbours) await this.#neighbour(neighbour);
    const rest = [
      ...this.#hostile.map((one) => () => this.#hostileCall(one)),
      ...HOSTILE_CLIENTS.map((one) => () => this.#client(one)),
      () => this.#churn(),
      () => this.#later(),
      () => this.#later(),
      () => this.#later(),
    ];
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        for (let next = rest.shift(); next; next = rest.shift()) await next();
      }),
    );
  }

  /** All of it at the same time, again and again. Resolves when the signal is given and the last thing that was begun is over. */
  async run(signal: AbortSignal): Promise<void> {
    const again = async (pauseMs: number, act: () => Promise<void>): Promise<void> => {
      while (!signal.aborted) {
        await act();
        await sleep(pauseMs);
      }
    };
    await Promise.all([
      ...this.#neighbours.map((one) => again(PAUSE_MS.neighbour, () => this.#neighbour(one))),
      ...Array.from({ length: HOSTILE_CALLERS }, () => again(PAUSE_MS.hostile, () => this.#hostileCall(this.#random.pick(this.#hostile)))),
      ...Array.from({ length: HOSTILE_CLIENT_COUNT }, () => again(PAUSE_MS.client, () => this.#client(this.#random.pick(HOSTILE_CLIENTS)))),
      again(PAUSE_MS.churn, () => this.#churn()),
      again(PAUSE_MS.later, () => this.#later()),
    ]);
  }

  #neighbour(neighbour: Neighbour): Promise<void> {
    return this.#ledger.attempt(neighbour.name, () => neighbour.call(this.#caller, this.#platform.gateway, ++this.#count));
  }

  #hostileCall({ name, statuses }: HostileFunction): Promise<void> {
    return this.#ledger.attempt('hostile functions', async () => {
      const { status, body } = await this.#caller.ask(`${this.#platform.gateway}/hostile/${name}`, { timeoutMs: HOSTILE_ANSWER_MS });
      if (status !== 429 && !statuses.includes(status)) throw new Error(`${name}: ${status} ${body.slice(0, 500)}`);
    });
  }

  #client({ name, act }: HostileClient): Promise<void> {
    return this.#ledger.attempt('hostile clients', async () => {
      try {
        await act(this.#platform.gateway, this.#random);
      } catch (cause) {
        throw new Error(`${name}: ${(cause as Error).message}; ${queuesOf(Number(new URL(this.#platform.gateway).port))}`, { cause });
      }
    });
  }

  #churn(): Promise<void> {
    // A name of its own each time: whatever is kept by name shows.
    return this.#ledger.attempt('control plane', () => churn(this.#caller, this.#platform, `churn-${++this.#count}`, this.#random));
  }

  #later(): Promise<void> {
    return this.#ledger.attempt('asynchronous', () => invokeLater(this.#caller, this.#platform, ++this.#count));
  }
}
