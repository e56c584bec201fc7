import { parseArgs } from 'node:util';
import { clusterRounds } from './cluster-rounds.ts';

/** `node test/fault/cluster/run.ts --rounds 10 --rate 100`: as the test, as often as one likes; tells how long recoveries took. */
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' }, rate: { type: 'string', default: '60' } } });
const report = await clusterRounds({
  rounds: Number(values.rounds),
  ratePerSecond: Number(values.rate),
  upMs: 3000,
  say: (text) => process.stderr.write(`${text}\n`),
});
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
process.exitCode = report.violations.length === 0 ? 0 : 1;
