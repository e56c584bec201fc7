import { parseArgs } from 'node:util';

export interface SoakOptions {
  /** Of load; warming up and cooling down come on top. */
  seconds: number;
  seed: number;
  driver: 'nursery' | 'bubblewrap';
}

export const USAGE = `Usage: npm run soak -- [options]

  --minutes <n>                    of load (2); fractions are understood
  --driver <nursery|bubblewrap>    what makes the sandboxes (nursery)
  --seed <n>                       of everything that is left to chance (1)
`;

/** @throws TypeError naming what was not understood */
export function parseOptions(argv: readonly string[]): SoakOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: { minutes: { type: 'string', default: '2' }, driver: { type: 'string', default: 'nursery' }, seed: { type: 'string', default: '1' } },
  });
  const { driver } = values;
  if (driver !== 'nursery' && driver !== 'bubblewrap') throw new TypeError(`--driver takes nursery or bubblewrap, not ${JSON.stringify(driver)}`);
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 10_000)) throw new TypeError(`--minutes takes a number above 0, not ${JSON.stringify(values.minutes)}`);
  if (!/^\d{1,9}$/.test(values.seed)) throw new TypeError(`--seed takes a whole number, not ${JSON.stringify(values.seed)}`);
  return { seconds: minutes * 60, seed: Number(values.seed), driver };
}
