import { describeMachine } from '../lib/machine.ts';
import { parseOptions, type SoakOptions, USAGE } from './options.ts';
import { reportOf } from './report.ts';
import { type SoakReport, soak } from './soak.ts';

// Not left to itself: after an interruption callers still wait for answers that will not come.
process.exit(await main(process.argv.slice(2)));

/** @returns the exit code: 0 all is well, 1 something leaked or failed, 2 the command line was not understood, 130 interrupted */
async function main(argv: readonly string[]): Promise<number> {
  let options: SoakOptions;
  try {
    options = parseOptions(argv);
  } catch (error) {
    process.stderr.write(`soak: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const machine = describeMachine(new Date());
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort(new Error(`interrupted by ${signal}`)));
  let report: SoakReport;
  try {
    report = await soak(options, (text) => process.stderr.write(`soak: ${text}\n`), interruption.signal);
  } catch (error) {
    process.stderr.write(`soak: ${(error as Error).stack}\n`);
    return interruption.signal.aborted ? 130 : 1;
  }
  process.stdout.write(reportOf(report, ['npm run soak --', ...argv].join(' '), machine));
  return report.problems.length === 0 ? 0 : 1;
}
