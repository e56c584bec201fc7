import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Bench, Case, Section } from '../lib/case.ts';
import { Child, listening } from '../lib/child.ts';
import { PROGRAMS } from '../lib/folders.ts';
import { freePort } from '../lib/free-port.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { median } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';
import { type Load, load } from '../lib/wrk.ts';

const CONCURRENCIES = [1, 32] as const;
const SINK = fileURLToPath(new URL('../programs/otlp-sink.ts', import.meta.url));
const BODY = '{"name": "Valera"}';
const SCRAPE_MS = 1000;

interface Watched {
  label: string;
  platform: BenchPlatform;
  url: string;
  /** By concurrency, a Load of each round. */
  loads: Map<number, Load[]>;
}

/** What it costs to be watched: metrics that are scraped, and traces that are exported. */
export const telemetry: Case = {
  name: 'telemetry',
  summary: 'warm throughput with metrics scraped and traces exported, against neither',
  async run({ options, say }: Bench): Promise<Section[]> {
    await using cleanUp = new AsyncDisposableStack();
    const port = await freePort();
    const endpoint = `http://127.0.0.1:${port}`;
    const sink = cleanUp.use(new Child(process.execPath, [SINK, String(port)]));
    await listening(sink, port);
    say('starting the platforms');
    const start = async (label: string, environment: Record<string, string>): Promise<Watched> => {
      const platform = cleanUp.use(await BenchPlatform.start({ ...options, environment }));
      const url = await platform.define('hello', await readFile(`${PROGRAMS}hello.py`, 'utf8'));
      return { label, platform, url, loads: new Map(CONCURRENCIES.map((c) => [c, []])) };
    };
    const off = await start('(a) neither', {});
    const bounded = await start('metrics, and traces as by default', { HEARTH_TRACES_ENDPOINT: endpoint });
    const all = await start('metrics, and every call wants its trace recorded', { HEARTH_TRACES_ENDPOINT: endpoint, HEARTH_TRACES_MAX_PER_S: '0' });
    const watched = [off, bounded, all];
    const scraper = setInterval(() => {
      for (const { platform } of [bounded, all]) {
        fetch(`${platform.api}/metrics`)
          .then((response) => response.text())
          .catch(() => undefined);
      }
    }, SCRAPE_MS);
    cleanUp.defer(() => clearInterval(scraper));

    say('warming up');
    for (const { url } of watched) await load({ url, body: BODY }, 32, options.quick ? 1 : 3);
    for (let round = 1; round <= options.rounds; round++) {
      for (const connections of CONCURRENCIES) {
        say(`round ${round} of ${options.rounds}, concurrency ${connections}`);
        for (const { url, loads } of watched) loads.get(connections)?.push(await load({ url, body: BODY }, connections, options.seconds));
      }
    }
    const spans = await Promise.all(watched.map(({ platform }) => spansOf(platform)));
    const received = Number(await (await fetch(endpoint)).text());
    if (received === 0 || spans[0] !== null) throw new Error(`${received} bytes of traces came, and the platform without them says ${spans[0]}`);

    return CONCURRENCIES.map((connections) => ({
      title: `Telemetry on and off, concurrency ${connections}`,
      notes: [
        'The warm handler of the first tables; a platform for each row, all alive, loaded in turn. The receiver of traces reads and discards; it, wrk and the scraper share the cores with the platforms.',
        `${options.rounds} round(s) of ${options.seconds} s, medians. (a) counts too, as the platform always does, but nobody asks; the others are scraped once a second.`,
        `Traces as by default: 100 a second at most. Spans exported and given up, warming up included: ${spans
          .map((counts, index) => (counts ? `${watched[index]?.label}: ${counts.exported}, ${counts.lost}` : ''))
          .filter(Boolean)
          .join('; ')}.`,
      ],
      columns: ['p50 ms', 'p99 ms', 'requests/s', 'p50 to (a)', 'requests/s to (a)'],
      rows: watched.map(({ label, platform, loads }) => {
        const of = (from: Watched['loads'], pick: (one: Load) => number) => median((from.get(connections) ?? []).map(pick));
        const [p50, rate] = [of(loads, (one) => one.p50), of(loads, (one) => one.requestsPerSecond)];
        return {
          label: `${label} (${platform.isolation})`,
          cells: [
            p50,
            of(loads, (one) => one.p99),
            rate,
            ratio(
              p50,
              of(off.loads, (one) => one.p50),
            ),
            ratio(
              rate,
              of(off.loads, (one) => one.requestsPerSecond),
            ),
          ],
        };
      }),
      raw: watched.map(({ label, loads }, index) => ({ label, connections, spans: spans[index], rounds: loads.get(connections) })),
    }));
  },
};

/** Null where there are no traces. */
async function spansOf(platform: BenchPlatform): Promise<{ exported: number; lost: number } | null> {
  const text = await (await fetch(`${platform.api}/metrics`)).text();
  const of = (result: string): number => Number(new RegExp(`^hearth_spans_total\\{result="${result}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
  return text.includes('hearth_spans_total{') ? { exported: of('exported'), lost: of('dropped') + of('failed') } : null;
}
