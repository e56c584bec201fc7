import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hearth, sleep, until } from '../support/hearth.ts';
import { check, type Findings } from './checker.ts';
import { definitions, RunCounter } from './functions.ts';
import { Generator } from './generator.ts';

export interface KillOptions {
  kills: number;
  ratePerSecond: number;
  /** Milliseconds that the platform is up before it is killed: anything between the two. */
  upMs: readonly [number, number];
  say(text: string): void;
}

export interface KillReport extends Findings {
  kills: number;
  refused: Record<string, number>;
  /** Milliseconds from the last restart until nothing was left to be run. */
  drainedMs: number;
}

/** Kills the platform at random instants while it accepts and runs, starts it again, and checks every promise that it gave. */
export async function killRounds({ kills, ratePerSecond, upMs, say }: KillOptions): Promise<KillReport> {
  await using cleanUp = new AsyncDisposableStack();
  const dataFolder = await mkdtemp(join(tmpdir(), 'hearth-fault-'));
  cleanUp.defer(() => rm(dataFolder, { recursive: true, force: true }));
  const counter = cleanUp.use(await RunCounter.listen());
  const settings = { HEARTH_LOG_LEVEL: 'warn' };
  let hearth = await Hearth.start({ dataFolder, settings });
  cleanUp.defer(() => hearth[Symbol.asyncDispose]());
  for (const definition of definitions(counter.port)) await hearth.register(definition);

  const generator = new Generator(ratePerSecond, join(dataFolder, 'accepted.log'));
  cleanUp.defer(() => generator.stop());
  for (let round = 1; round <= kills; round++) {
    generator.aim(hearth.gateway);
    await sleep(upMs[0] + Math.random() * (upMs[1] - upMs[0]));
    await hearth.stop('SIGKILL');
    generator.aim();
    say(`kill ${round} of ${kills}; ${generator.accepted.length} accepted so far`);
    hearth = await Hearth.start({ dataFolder, settings });
  }
  generator.aim(hearth.gateway);
  await sleep(upMs[0]);
  await generator.stop();

  const start = performance.now();
  const { api } = hearth;
  await until(async () => (await isEmpty(api, 'queued')) && (await isEmpty(api, 'running')), 240_000);
  const drainedMs = Math.round(performance.now() - start);
  say(`everything is over after ${drainedMs} ms; checking`);
  const findings = await check(api, generator.accepted, counter.runs);
  return { kills, refused: Object.fromEntries(generator.refused), drainedMs, ...findings };
}

async function isEmpty(api: string, state: string): Promise<boolean> {
  const { invocations } = (await (await fetch(`${api}/invocations?state=${state}&limit=1`)).json()) as { invocations: unknown[] };
  return invocations.length === 0;
}
