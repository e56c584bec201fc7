import { execFile } from 'node:child_process';
import type { Bench, Case, Section } from '../lib/case.ts';
import { ROOT } from '../lib/folders.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { median, millisecondsSince, percentile } from '../lib/statistics.ts';

/** What a command that asks nobody may take. Milliseconds. */
const TARGET_MS = 120;
const HEARTH = `${ROOT}bin/hearth.js`;

/** What the command costs before it does anything, and with one request to a platform. */
export const cli: Case = {
  name: 'cli',
  summary: 'start of the command hearth: from its spawn to its exit',
  async run({ options, say }: Bench): Promise<Section[]> {
    await using platform = await BenchPlatform.start({ libraries: false });
    await platform.define('hello', 'def handler(message, context):\n    return 1\n', { network: 'none' });
    const api = ['--api', platform.api];
    const commands: readonly (readonly [label: string, args: readonly string[]])[] = [
      ['`node --eval 0`', ['--eval', '0']],
      ['`hearth --version`', [HEARTH, '--version']],
      ['`hearth completion bash`', [HEARTH, 'completion', 'bash']],
      ['`hearth list`', [HEARTH, 'list', ...api]],
      ['`hearth invoke hello`', [HEARTH, 'invoke', 'hello', ...api, '--gateway', platform.gateway]],
    ];
    const times = commands.map((): number[] => []);
    // The first of each fills caches, of the disk and of what Node.js has compiled.
    for (const [, args] of commands) await run(args);
    for (let round = 1; round <= options.count; round++) {
      if (round % 20 === 0) say(`${round} of ${options.count}`);
      // In turn: what the machine does meanwhile meets them all alike.
      for (const [index, [, args]] of commands.entries()) times[index]?.push(await run(args));
    }
    return [
      {
        title: 'Start of the command',
        notes: [
          `From the spawn of the process to its exit, ${options.count} times each, in turn; from a checkout whose compiled sources are in node_modules/.cache. The bound is ${TARGET_MS} ms for a command that asks nobody.`,
          'The last two ask a running platform on the same machine, one request or two for the list, two for the call.',
        ],
        columns: ['p50 ms', 'p95 ms', 'p50 without Node.js itself, ms'],
        rows: commands.map(([label], index) => {
          const own = times[index] as number[];
          return { label, cells: [median(own), percentile(own, 0.95), median(own) - median(times[0] as number[])] };
        }),
        raw: commands.map(([label], index) => ({ label, ms: times[index] })),
      },
    ];
  },
};

/** @returns milliseconds */
function run(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = process.hrtime.bigint();
    execFile(process.execPath, [...args], { env: { PATH: process.env.PATH } }, (error) => {
      if (error) reject(error);
      else resolve(millisecondsSince(start));
    });
  });
}
