import { expect, it } from 'vitest';
import { rateOf, readCounts } from '../../../dashboard/src/pages/call-rates.ts';

const at = (calls: number, failures: number) =>
  `# TYPE faas_invocations_total counter\nfaas_invocations_total{faas_name="echo",outcome="succeeded",start="warm"} ${calls}\n` +
  `faas_invocations_total{faas_name="echo",outcome="failed",start="cold"} ${failures}\nfaas_invocations_total{faas_name="other",outcome="succeeded",start="warm"} 1\n`;

it('tells calls and failures a second between two looks', () => {
  const before = readCounts(at(10, 1), 1000);
  expect(rateOf('echo', before, readCounts(at(20, 3), 3000))).toEqual({ callsPerS: 6, failuresPerS: 1 });
  expect(rateOf('other', before, readCounts(at(20, 3), 3000))).toEqual({ callsPerS: 0, failuresPerS: 0 });
});

it('knows nothing at the first look, and is not negative after a restart', () => {
  expect(rateOf('echo', undefined, readCounts(at(10, 1), 1000))).toBeUndefined();
  expect(rateOf('echo', readCounts(at(10, 1), 1000), readCounts(at(1, 0), 2000))).toEqual({ callsPerS: 0, failuresPerS: 0 });
});
