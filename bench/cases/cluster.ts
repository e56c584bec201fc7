import { Cluster } from '../../test/support/cluster.ts';
import type { Bench, Case, Section } from '../lib/case.ts';
import { median } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';
import { load } from '../lib/wrk.ts';

const NODES = [1, 2, 3];
/** Instances of each node, which sleep: the cores are not the bound. */
const SLOTS = 16;
const SLEEP_MS = 100;
/** Of each node: some always wait, so that no slot is idle. */
const CALLERS = 24;
const CODE = `import time\ndef handler(message, context):\n    time.sleep(${SLEEP_MS / 1000})\n    return {"slept": True}\n`;

interface Rates {
  synchronous: number[];
  asynchronous: number[];
}

/** Whether twice the nodes do twice the work. */
export const cluster: Case = {
  name: 'cluster',
  summary: 'throughput of one, two and three nodes on one PostgreSQL and one RabbitMQ, with functions that sleep',
  async run({ options, say }: Bench): Promise<Section[]> {
    const measured = NODES.map((): Rates => ({ synchronous: [], asynchronous: [] }));
    for (let round = 0; round < options.rounds; round++) {
      for (const [index, nodes] of NODES.entries()) {
        say(`round ${round + 1} of ${options.rounds}: ${nodes} node(s)`);
        const { synchronous, asynchronous } = await measure(nodes, Math.max(3, options.seconds));
        measured[index]?.synchronous.push(synchronous);
        measured[index]?.asynchronous.push(asynchronous);
      }
    }
    const linear = (kind: keyof Rates, index: number): string =>
      ratio(median(measured[index]?.[kind] ?? []), median(measured[0]?.[kind] ?? []) * (NODES[index] as number));
    return [
      {
        title: 'Several nodes',
        notes: [
          `Each node is a platform of its own with room for ${SLOTS} instances; all of them, PostgreSQL, a RabbitMQ node and wrk are on this one machine. The function sleeps for ${SLEEP_MS} ms, so that ${SLOTS * (1000 / SLEEP_MS)} a second are what one node could do at most.`,
          `Synchronous: ${CALLERS} connections to each node, closed loop, ${Math.max(3, options.seconds)} s. Asynchronous: what was accepted by the first node alone, in one batch, from the first start to the last end. Medians of ${options.rounds} round(s); a round starts one, two and three nodes anew.`,
        ],
        columns: ['synchronous/s', 'to linear', 'asynchronous/s', 'to linear'],
        rows: NODES.map((nodes, index) => ({
          label: `${nodes} node${nodes > 1 ? 's' : ''}`,
          cells: [
            median(measured[index]?.synchronous ?? []),
            linear('synchronous', index),
            median(measured[index]?.asynchronous ?? []),
            linear('asynchronous', index),
          ],
        })),
        raw: measured,
      },
    ];
  },
};

async function measure(count: number, seconds: number): Promise<{ synchronous: number; asynchronous: number }> {
  await using started = await Cluster.start({
    nodes: count,
    brokers: 1,
    settings: { HEARTH_LOG_LEVEL: 'warn', HEARTH_LIMITS_MAX_INSTANCES: String(SLOTS) },
  });
  const { nodes } = started;
  const [first] = nodes as [(typeof nodes)[number]];
  await first.hearth.define('sleeper', CODE, { network: 'none', concurrency: 1 });
  const body = '{}';
  // The first load starts what there is room for.
  const all = (ms: number) => Promise.all(nodes.map(({ hearth }) => load({ url: `${hearth.gateway}/sleeper`, body }, CALLERS, ms)));
  for (const { hearth } of nodes) while ((await hearth.call('/sleeper', { method: 'POST', body })).status !== 200);
  await all(2);
  const loads = await all(seconds);
  const synchronous = loads.reduce((sum, { requestsPerSecond }) => sum + requestsPerSecond, 0);
  return { synchronous, asynchronous: await batch(first.hearth.api, Math.ceil(synchronous * seconds)) };
}

/** @returns ended per second, from the first start to the last end */
async function batch(api: string, size: number): Promise<number> {
  const lines = '{}\n'.repeat(size);
  const accepted = await fetch(`${api}/functions/sleeper/invocations`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-ndjson' },
    body: lines,
  });
  const ids = ((await accepted.json()) as { invocations: { id: string }[] }).invocations.map(({ id }) => id);
  let [from, to] = [Number.POSITIVE_INFINITY, 0];
  for (const id of ids) {
    const record = (await (await fetch(`${api}/invocations/${id}?wait=60s`)).json()) as {
      state: string;
      attempts: { started_at: number; ended_at: number }[];
    };
    const [attempt] = record.attempts;
    if (record.state !== 'succeeded' || attempt === undefined) throw new Error(`${id} ended as ${record.state}`);
    from = Math.min(from, attempt.started_at);
    to = Math.max(to, attempt.ended_at);
  }
  return (ids.length / (to - from)) * 1000;
}
