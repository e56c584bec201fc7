/**
 * Buckets of latencies, growing by 2^(1/4) as those of Prometheus' native histograms with schema 2 do
 * (https://prometheus.io/docs/specs/native_histograms/#schema): whatever is read from them is off by a tenth at most. The first ends at 1/16 ms, the last at
 * 2^20 ms, which is more than the longest timeout.
 */
const PER_OCTAVE = 4;
const FIRST_EXPONENT = -4;
const LAST_EXPONENT = 20;
export const LATENCY_BUCKETS = (LAST_EXPONENT - FIRST_EXPONENT) * PER_OCTAVE + 1;

/** @param milliseconds 0 or more; what is beyond the last bound is counted in the last bucket */
export function latencyBucket(milliseconds: number): number {
  if (milliseconds <= 2 ** FIRST_EXPONENT) return 0;
  return Math.min(Math.ceil((Math.log2(milliseconds) - FIRST_EXPONENT) * PER_OCTAVE), LATENCY_BUCKETS - 1);
}

/** Milliseconds, included. @param bucket -1 (the lower bound of the first bucket, 0) to LATENCY_BUCKETS - 1 */
export function upperBound(bucket: number): number {
  return bucket < 0 ? 0 : 2 ** (FIRST_EXPONENT + bucket / PER_OCTAVE);
}

/**
 * Milliseconds below which so great a share of what was counted lies: exponential interpolation within its bucket, as `histogram_quantile` has it. Null
 * when nothing was counted.
 * @param counts of each bucket, from `offset` on
 * @param share 0 to 1
 */
export function percentile(counts: Float64Array, offset: number, share: number): number | null {
  let total = 0;
  for (let bucket = 0; bucket < LATENCY_BUCKETS; bucket++) total += counts[offset + bucket] as number;
  if (total === 0) return null;
  let left = share * total;
  let bucket = 0;
  for (; bucket < LATENCY_BUCKETS - 1; bucket++) {
    const count = counts[offset + bucket] as number;
    if (count > 0 && left <= count) break;
    left -= count;
  }
  const part = Math.min(Math.max(left / (counts[offset + bucket] as number), 0), 1);
  const upper = upperBound(bucket);
  const value = bucket === 0 ? upper * part : upper * 2 ** ((part - 1) / PER_OCTAVE);
  return Math.round(value * 1000) / 1000;
}
