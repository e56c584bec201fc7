import { describeMachine } from '../lib/machine.ts';
import { parseOptions, type SoakOptions, USAGE } from './options.ts';
import { reportOf } from './report.ts';
import { soak } from './soak.ts';

process.exitCode = await main(process.argv.slice(2));

/** @returns the exit code: 0 all is well, 1 something leaked or failed, 2 the command line was not understood */
async function main(argv: readonly string[]): Promise<number> {
  let options: SoakOptions;
  try {
    options = parseOptions(argv);
  } catch (error) {
    process.stderr.write(`soak: ${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const machine = describeMachine(new Date());
  const report = await soak(options, (text) => process.stderr.write(`soak: ${text}\n`));
  process.stdout.write(reportOf(report, ['npm run soak --', ...argv].join(' '), machine));
  return report.problems.length === 0 ? 0 : 1;
}
