import { parseArgs } from 'node:util';
import { killRounds } from './kill-rounds.ts';

/** `node test/fault/run.ts --kills 100 --rate 200`: as the test, as often as one likes. */
const { values } = parseArgs({ options: { kills: { type: 'string', default: '100' }, rate: { type: 'string', default: '200' } } });
const report = await killRounds({
  kills: Number(values.kills),
  ratePerSecond: Number(values.rate),
  upMs: [500, 3000],
  say: (text) => process.stderr.write(`${text}\n`),
});
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
process.exitCode = report.violations.length === 0 ? 0 : 1;
