/** Milliseconds by a clock that never jumps; the same one in every thread of the process. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
