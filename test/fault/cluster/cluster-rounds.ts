import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster, type ClusterNode } from '../../support/cluster.ts';
import { sleep, until } from '../../support/hearth.ts';
import type { RabbitMqNode } from '../../support/rabbitmq.ts';
import { check, type Findings } from '../checker.ts';
import { definitions, RunCounter } from '../functions.ts';
import { type AcceptedCall, Generator } from '../generator.ts';
import { SyncCallers, type SyncFailure } from './sync-callers.ts';

export interface ClusterRoundsOptions {
  /** How often everything happens. */
  rounds: number;
  ratePerSecond: number;
  /** Of quiet load between two events. Milliseconds. */
  upMs: number;
  say(text: string): void;
}

interface Recovery {
  event: string;
  /** Until one that is accepted after the event has ended well, and all that had been accepted before are over. Milliseconds. */
  ms: number;
}

export interface ClusterReport extends Findings {
  refused: Record<string, number>;
  recoveries: Recovery[];
  sync: { answered: number; failures: SyncFailure[] /** That were under way on a node when it was killed. */; inFlightAtKills: number };
}

const ANSWER = {
  event_type: 'http|POST|/answer',
  function_name: 'answer',
  function_code: 'def handler(message, context):\n    return {"number": message["body"]["number"]}\n',
  // A machine that everything here shares may stand still for a while: that is no failure of a node.
  max_queue: 1000,
};
/** Accepted last before an event; what runs then is among them. */
const WATCHED = 60;

/**
 * Three nodes, three brokers and a database under load, to which everything happens that happens to machines: a node is killed, a broker is killed, the database
 * is restarted, a node is cut off. Afterwards every promise that was given is checked.
 */
export async function clusterRounds({ rounds, ratePerSecond, upMs, say }: ClusterRoundsOptions): Promise<ClusterReport> {
  await using cleanUp = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'hearth-cluster-'));
  cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
  const counter = cleanUp.use(await RunCounter.listen());
  const cluster = cleanUp.use(await Cluster.start({ nodes: 3, brokers: 3, settings: { HEARTH_LOG_LEVEL: 'warn' } }));
  const { nodes } = cluster;
  say('the cluster is up');
  const [first] = nodes as [ClusterNode];
  for (const definition of [ANSWER, ...definitions(counter.port)]) await first.hearth.register(definition);
  // What one was told, the others know.
  for (const { hearth } of nodes) {
    await until(async () => Object.keys((await hearth.get('/functions')) as object).length === 4);
    await until(async () => (await hearth.call('/answer', { method: 'POST', body: '{"number": 0}' })).status === 200);
  }

  const generator = new Generator(ratePerSecond, join(folder, 'accepted.log'));
  cleanUp.defer(() => generator.stop());
  const callers = new SyncCallers(200);
  cleanUp.defer(() => callers.stop());
  const recoveries: Recovery[] = [];
  let inFlightAtKills = 0;

  const aimAt = (up: readonly ClusterNode[]): void => {
    generator.aim(...up.map(({ hearth }) => hearth.gateway));
    callers.aim(up.map(({ name, hearth }) => ({ node: name, gateway: hearth.gateway })));
  };
  const without = (node: ClusterNode): ClusterNode[] => nodes.filter((other) => other !== node);

  /** @param at of the event, by performance.now() @param survivor answers all the time */
  async function recovered(event: string, at: number, before: readonly AcceptedCall[], survivor: ClusterNode): Promise<void> {
    await until(() => runsWell(survivor), 120_000);
    for (const { id } of before) await until(() => isOver(survivor, id), 120_000);
    const ms = Math.round(performance.now() - at);
    recoveries.push({ event, ms });
    say(`${event}: recovered after ${ms} ms; ${generator.accepted.length} accepted so far`);
  }

  for (let round = 0; round < rounds; round++) {
    const victim = nodes[(round + 2) % 3] as ClusterNode;
    const survivor = nodes[round % 3] as ClusterNode;
    const broker = cluster.rabbitmq.nodes[round % 3] as RabbitMqNode;

    aimAt(nodes);
    await sleep(upMs);
    let before = generator.accepted.slice(-WATCHED);
    let at = performance.now();
    aimAt(without(victim));
    inFlightAtKills += callers.openAt(victim.name);
    await victim.stop('SIGKILL');
    await recovered(`kill -9 of ${victim.name}`, at, before, survivor);
    await victim.start();
    aimAt(nodes);

    await sleep(upMs);
    before = generator.accepted.slice(-WATCHED);
    at = performance.now();
    await broker.kill();
    await recovered('kill -9 of a broker', at, before, survivor);
    await broker.start();

    await sleep(upMs);
    before = generator.accepted.slice(-WATCHED);
    at = performance.now();
    await cluster.postgres.restart();
    await recovered('restart of PostgreSQL', at, before, survivor);

    await sleep(upMs);
    before = generator.accepted.slice(-WATCHED);
    at = performance.now();
    victim.cutOff();
    await recovered(`${victim.name} cut off`, at, before, survivor);
    await sleep(upMs);
    victim.heal();
    await until(() => runsWell(victim), 120_000);
  }
  await sleep(upMs);
  await generator.stop();
  await callers.stop();

  say('checking');
  await until(async () => (await isEmpty(first, 'queued')) && (await isEmpty(first, 'running')), 240_000);
  const findings = await check(first.hearth.api, generator.accepted, counter.runs);
  return {
    ...findings,
    refused: Object.fromEntries(generator.refused),
    recoveries,
    sync: { answered: callers.answered, failures: callers.failures, inFlightAtKills },
  };
}

/** Whether one that it accepts now ends well soon. */
async function runsWell({ hearth }: ClusterNode): Promise<boolean> {
  const headers = { Prefer: 'respond-async', 'Content-Type': 'application/json' };
  const accepted = await hearth.call('/answer', { method: 'POST', headers, body: '{"number": 1}' }).catch(() => null);
  const id = accepted?.headers.get('x-correlation-id');
  if (accepted?.status !== 202 || !id) return false;
  return ((await hearth.get(`/invocations/${id}?wait=20s`)) as { state: string }).state === 'succeeded';
}

async function isOver({ hearth }: ClusterNode, id: string): Promise<boolean> {
  const { state } = (await hearth.get(`/invocations/${id}`)) as { state?: string };
  return state !== undefined && state !== 'queued' && state !== 'running';
}

async function isEmpty({ hearth }: ClusterNode, state: string): Promise<boolean> {
  const { invocations } = (await hearth.get(`/invocations?state=${state}&limit=1`)) as { invocations?: unknown[] };
  return invocations?.length === 0;
}
