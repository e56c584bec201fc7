import { writeFile } from 'node:fs/promises';
import { cli } from './cases/cli.ts';
import { cluster } from './cases/cluster.ts';
import { cold } from './cases/cold.ts';
import { docker } from './cases/docker.ts';
import { fairness } from './cases/fairness.ts';
import { growth } from './cases/growth.ts';
import { languages } from './cases/languages.ts';
import { memory } from './cases/memory.ts';
import { overload } from './cases/overload.ts';
import { queue } from './cases/queue.ts';
import { script } from './cases/script.ts';
import { storm } from './cases/storm.ts';
import { telemetry } from './cases/telemetry.ts';
import { warm } from './cases/warm.ts';
import type { Case, Section } from './lib/case.ts';
import { describeMachine } from './lib/machine.ts';
import { type Options, parseOptions, USAGE } from './lib/options.ts';
import { writeReport } from './lib/report.ts';
import { markdown } from './lib/table.ts';

const CASES: readonly Case[] = [warm, telemetry, script, cold, docker, languages, storm, memory, growth, overload, fairness, queue, cluster, cli];

process.exitCode = await main(process.argv.slice(2));

/** @returns the exit code: 0 measured, 1 a measurement failed, 2 the command line was not understood */
async function main(argv: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(argv);
    const unknown = options.cases.find((name) => !CASES.some((one) => one.name === name));
    if (unknown !== undefined) throw new TypeError(`there is no case ${unknown}`);
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(`${USAGE}\nCases:\n${CASES.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}\n`).join('')}`);
    return 0;
  }

  const command = ['npm run bench --', ...argv.filter((argument) => argument !== '--write')].join(' ');
  const machine = describeMachine(new Date());
  process.stdout.write(`${machine.join('\n')}\n\n`);
  const results: { name: string; seconds: number; sections: Section[] }[] = [];
  let code = 0;
  for (const { name, run } of CASES.filter((one) => options.cases.length === 0 || options.cases.includes(one.name))) {
    const start = performance.now();
    try {
      const sections = await run({ options, say: (text) => process.stderr.write(`bench ${name}: ${text}\n`) });
      for (const section of sections) process.stdout.write(`${markdown(section)}\n`);
      results.push({ name, seconds: (performance.now() - start) / 1000, sections });
      if (options.write) await writeReport(name, { command, machine, sections });
    } catch (error) {
      code = 1;
      process.stderr.write(`bench ${name}: FAILED: ${explain(error)}\n`);
    }
    process.stderr.write(`bench ${name}: took ${((performance.now() - start) / 1000).toFixed(0)} s\n`);
  }
  if (options.json !== null) await writeFile(options.json, `${JSON.stringify({ command, machine, results }, null, 2)}\n`);
  return code;
}

/** With both, when a failure was followed by one of what was to be cleared up after it: a platform that crashed, usually. */
function explain(error: unknown): string {
  if (error instanceof SuppressedError) return `${explain(error.suppressed)}\nand after that: ${explain(error.error)}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
