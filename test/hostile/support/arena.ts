import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { groupPrefix } from '../../../src/sandbox/cgroup/group-prefix.ts';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';
import { Hearth, type HearthOptions, sleep, until } from '../../support/hearth.ts';
import { Containers } from './containers.ts';
import { engineSocket } from './engine.ts';
import { Footprint, type Holdings, isAlive, leftovers } from './footprint.ts';

/** Drivers that promise to hold hostile functions. */
const DRIVERS = ['nursery', 'bubblewrap', 'docker'] as const;
type DriverName = (typeof DRIVERS)[number];

/** A call of the well-behaved neighbour that takes longer than this has not been answered. */
const NEIGHBOUR_MS = 10_000;
/** From one of its calls to the next: some 30 in a second, which leaves the cores to those who attack. */
const NEIGHBOUR_PAUSE_MS = 25;
/** Every hostile function here has a deadline well below this: who is still waiting would wait for ever. */
const ANSWER_MS = 20_000;
/** Containers in stock. */
const SPARES = 2;
const NEIGHBOUR = 'def handler(message, context):\n    return {"n": message["query"]["n"]}';

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON. */
  json: () => never;
  response: Response;
}

export interface Attack {
  settings?: Partial<FunctionDefinition>;
  /** After the path, with its question mark. */
  query?: string;
  init?: RequestInit;
}

export interface ArenaOptions extends HearthOptions {
  /** Functions live from test to test; that nothing is left of them is seen at the end. */
  keepsFunctions?: boolean;
}

/** Declares the tests on a platform of their own; after each of them nothing of its functions may be left on the machine. For attacks in whose way no driver stands. */
export function onOneDriver(title: string, declare: (arena: Arena) => void, options: ArenaOptions = {}): void {
  on([DRIVERS[0]], title, declare, options);
}

/** The same once for each driver. */
export function onEveryDriver(title: string, declare: (arena: Arena) => void, options: ArenaOptions = {}): void {
  on(DRIVERS, title, declare, options);
}

function on(drivers: readonly DriverName[], title: string, declare: (arena: Arena) => void, options: ArenaOptions): void {
  // An engine of the tests' own takes root.
  const lacking = (driver: DriverName) => driver === 'docker' && process.getuid?.() !== 0;
  const declareOn = (driver: DriverName) => {
    const arena = new Arena(driver, options);
    beforeAll(() => arena.open());
    afterEach(async () => {
      if (!options.keepsFunctions) await arena.leavesNothing();
    });
    afterAll(async () => {
      try {
        if (options.keepsFunctions) await arena.leavesNothing();
      } finally {
        await arena.close();
      }
    });
    declare(arena);
  };
  for (const driver of drivers) describe.skipIf(lacking(driver))(`${title}, in a sandbox by ${driver}`, () => declareOn(driver));
}

/** A container takes as long to make as some tests have to wait in all: spare ones keep deadlines meaningful. */
function containerSettings(socket: string): Record<string, string> {
  return {
    HEARTH_SANDBOX_DRIVER: 'docker',
    HEARTH_DOCKER_SOCKET: socket,
    HEARTH_SANDBOX_NETWORK: 'none',
    HEARTH_POOL_MINIMUM: String(SPARES),
    HEARTH_POOL_MAXIMUM: String(SPARES),
  };
}

/** A platform with a well-behaved function, and whoever attacks it. */
export class Arena {
  readonly driver: DriverName;
  readonly #options: ArenaOptions;
  #hearth: Hearth | undefined;
  #footprint: Footprint | undefined;
  #containers: Containers | undefined;
  #before: Holdings | undefined;
  #folder = '';
  #calls = 0;
  #attacks = 0;

  constructor(driver: DriverName, options: ArenaOptions) {
    this.driver = driver;
    this.#options = options;
  }

  /** These cases; of a table about what no driver has a part in, all on the first driver, and two on the others. */
  few<T extends unknown[] | [unknown] | string>(cases: readonly T[]): readonly T[] {
    return this.driver === DRIVERS[0] ? cases : cases.slice(0, 2);
  }

  get hearth(): Hearth {
    return this.#hearth as Hearth;
  }

  get footprint(): Footprint {
    return this.#footprint as Footprint;
  }

  async open(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), 'hearth-hostile-'));
    await mkdir(join(this.#folder, 'tmp'), { mode: 0o777 });
    const socket = this.driver === 'docker' ? await engineSocket() : undefined;
    const settings = {
      HEARTH_SANDBOX_NURSERY: this.driver === 'nursery' ? 'auto' : 'off',
      // Spare sandboxes would come and go by themselves.
      HEARTH_POOL_MINIMUM: '0',
      HEARTH_POOL_MAXIMUM: '0',
      ...(socket === undefined ? {} : containerSettings(socket)),
      TMPDIR: join(this.#folder, 'tmp'),
      ...this.#options.settings,
    };
    this.#hearth = await Hearth.start({ ...this.#options, dataFolder: this.#folder, settings });
    const { pid } = this.#hearth.child;
    const platformId = groupPrefix(this.#folder);
    if (socket !== undefined) this.#containers = new Containers(socket, platformId);
    this.#footprint = new Footprint(pid as number, this.#folder, `${platformId}-`, this.#containers);
    await until(async () => {
      // A second instance of it, for calls that had to wait, would be nobody's leftover; nor would another one be, in place of one given up in want of memory.
      await this.hearth.define('neighbour', NEIGHBOUR, { max_instances: 1, reserved: 1 });
      const response = await this.hearth.call('/neighbour?n=0');
      // The zygote is on its way while the first sandboxes are made without it.
      if (response.status === 200 && (await this.driverOf(response)) === this.driver) return true;
      await fetch(`${this.hearth.api}/functions/neighbour`, { method: 'DELETE' });
      await sleep(100);
      return false;
    });
    // Whatever is made with the first function of all is no leftover.
    await this.attack('def handler(m, c): print("something")');
    await this.#removeFunctions();
    if (this.#containers) await until(async () => (await this.#stocked()) === SPARES, 120_000);
    let last = '';
    this.#before = await until(async () => {
      const now = await this.#holdings();
      const same = JSON.stringify(now) === last;
      last = JSON.stringify(now);
      await sleep(200);
      return same && now;
    });
  }

  async close(): Promise<void> {
    const before = this.#footprint && (await this.#holdings());
    await this.#hearth?.[Symbol.asyncDispose]();
    if (before) {
      await until(() => before.processes.every((process) => !isAlive(process)));
      await this.#containers?.look();
      const left = { cgroups: this.footprint.cgroups(), containers: this.#containers?.ids ?? [], mounts: this.#containers?.forgottenMounts() ?? [] };
      expect(left, 'what is left of a platform that has ended').toEqual({ cgroups: [], containers: [], mounts: [] });
    }
    this.#containers?.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The driver that made the sandbox which answered. */
  async driverOf(response: Response): Promise<string> {
    const id = response.headers.get('x-serverless-instance-id');
    return ((await this.hearth.get(`/functions/instances/${id}`)) as { driver: string }).driver;
  }

  /** Registers some code under a name of its own, calls it, and calls the neighbour all the while. */
  async attack(code: string, options: Attack = {}): Promise<Answer> {
    const name = await this.define(code, options.settings);
    return this.withNeighbour(() => this.call(name, options));
  }

  /** @returns the function's name, which is its path too */
  async define(code: string, settings: Partial<FunctionDefinition> = {}): Promise<string> {
    const name = `attack-${++this.#attacks}`;
    await this.hearth.define(name, code, settings);
    return name;
  }

  /** Once. The sandbox is one by the driver under test, even after all that was done to it before. */
  async call(name: string, { query = '', init }: Omit<Attack, 'settings'> = {}): Promise<Answer> {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const response = await this.hearth.call(`/${name}${query}`, { signal, ...init });
    const text = await response.text().catch((error: Error) => {
      if (signal.aborted) throw new Error(`the answer ${response.status} did not end within ${ANSWER_MS} ms`);
      return `broken off: ${error.message}`;
    });
    if (response.headers.has('x-serverless-instance-id')) expect(await this.driverOf(response)).toBe(this.driver);
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) as never, response };
  }

  /** Calls the well-behaved function again and again while something goes on: each answer must come, and be right. */
  async withNeighbour<T>(act: () => Promise<T>): Promise<T> {
    const work = act();
    let over = false;
    const end = () => {
      over = true;
    };
    work.then(end, end);
    do {
      const n = String(++this.#calls);
      const response = await this.hearth.call(`/neighbour?n=${n}`, { signal: AbortSignal.timeout(NEIGHBOUR_MS) });
      expect([response.status, await response.text()], 'the neighbour').toEqual([200, `{"n": "${n}"}`]);
      await this.#containers?.look();
      this.footprint.observe();
      await sleep(NEIGHBOUR_PAUSE_MS);
    } while (!over);
    return work;
  }

  /** Deletes every function but the neighbour: whatever was there because of them has to go. */
  async leavesNothing(): Promise<void> {
    await this.withNeighbour(() => this.#removeFunctions());
    const before = this.#before as Holdings;
    let left = {};
    await until(async () => {
      left = leftovers(before, await this.#holdings(), this.#containers !== undefined);
      return Object.keys(left).length === 0;
    }, 20_000).catch(() => undefined);
    expect(left, 'what is left of the functions').toEqual({});
  }

  async #stocked(): Promise<number> {
    const text = await (await fetch(`${this.hearth.api}/metrics`)).text();
    return [...text.matchAll(/^hearth_pool_stocked\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  async #holdings(): Promise<Holdings> {
    await this.#containers?.look();
    return this.footprint.take();
  }

  async #removeFunctions(): Promise<void> {
    const functions = Object.values((await this.hearth.get('/functions')) as Record<string, { function_name: string }[]>).flat();
    for (const { function_name: name } of functions) {
      if (name !== 'neighbour') await fetch(`${this.hearth.api}/functions/${name}`, { method: 'DELETE' });
    }
  }
}
