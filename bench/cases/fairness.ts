import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Case, Row, Section } from '../lib/case.ts';
import { Client } from '../lib/client.ts';
import { PROGRAMS } from '../lib/folders.ts';
import { openLoop } from '../lib/open-loop.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { median, percentile } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';
import { startUvicorn } from '../lib/uvicorn.ts';
import { type Load, load, type Request } from '../lib/wrk.ts';

const FLOOD = 64;
const TRICKLE_PER_SECOND = 10;
const BODY = '{"name": "Valera"}';

interface Measured {
  label: string;
  times: number[];
  flood: Load | null;
}

/** Whether one function's flood is another's wait. */
export const fairness: Case = {
  name: 'fairness',
  summary: 'p99 of one function that is called ten times a second while another is flooded',
  async run({ options, say }: Bench): Promise<Section[]> {
    const seconds = options.quick ? 3 : 12;
    await using cleanUp = new AsyncDisposableStack();
    const uvicorn = await startUvicorn();
    cleanUp.use(uvicorn.child);
    const platform = cleanUp.use(await BenchPlatform.start(options));
    const define = async (name: string, program: string): Promise<Request> => {
      const code = await readFile(`${PROGRAMS}${program}`, 'utf8');
      return { url: await platform.define(name, code, { network: 'none' }), body: BODY };
    };
    const trickled = await define('trickled', 'hello.py');
    using client = new Client();
    await client.post(trickled);
    const floods: { label: string; request: Request | null }[] = [
      { label: 'nothing else', request: null },
      { label: 'another server on the machine is flooded (uvicorn, not through the platform)', request: { url: uvicorn.url, body: BODY } },
      { label: 'a handler that returns at once is flooded', request: await define('flooded', 'hello.py') },
      { label: 'a handler that uses 5 ms of CPU is flooded', request: await define('flooded-spin', 'spin.py') },
    ];
    const rows: Measured[] = [];
    for (const { label, request } of floods) {
      say(label);
      // The flood is there before the first of the trickle and after its last.
      const flood = request ? load(request, FLOOD, seconds + 2, true) : null;
      flood?.catch(() => undefined);
      if (request) await sleep(1000);
      const outcomes = await openLoop(trickled, TRICKLE_PER_SECOND, seconds);
      const failed = outcomes.find(({ status }) => status !== 200);
      if (failed) throw new Error(`${label}: a call of the trickle was answered ${failed.status}`);
      rows.push({ label, times: outcomes.map(({ milliseconds }) => milliseconds), flood: flood && (await flood) });
    }
    const [alone, busy] = rows as [Measured, Measured];
    return [
      {
        title: 'Fairness: one function trickled, another flooded',
        notes: [
          `The trickle: a handler called ${TRICKLE_PER_SECOND} times a second at a constant rate for ${seconds} s. The flood: wrk, ${FLOOD} connections, closed loop. All with ${platform.isolation.split(',')[0]}, network none.`,
          'Of the flood 429 is allowed, of the trickle nothing but 200. A refused connection of wrk asks again at once, so that more is refused than is served.',
          'Flood, wrk, platform and trickle share the cores; the second row tells what a busy machine alone does to the trickle.',
        ],
        columns: ['trickle p50 ms', 'trickle p99 ms', 'flood 200s/s', 'flood 429s/s', 'p99 to alone', 'p99 to busy machine'],
        rows: rows.map((row) => rowOf(row, alone, busy)),
        raw: rows,
      },
    ];
  },
};

function rowOf({ label, times, flood }: Measured, alone: Measured, busy: Measured): Row {
  const p99 = (of: Measured): number => percentile(of.times, 0.99);
  const own = percentile(times, 0.99);
  return {
    label,
    cells: [
      median(times),
      own,
      flood && flood.requestsPerSecond * (1 - flood.refused / flood.requests),
      flood && flood.requestsPerSecond * (flood.refused / flood.requests),
      ratio(own, p99(alone)),
      ratio(own, p99(busy)),
    ],
  };
}
