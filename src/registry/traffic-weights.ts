/** Percent by version number. */
export type Weights = Readonly<Record<string, number>>;

/** Version numbers that have a place in a split, the newest first. */
export function numbersOf(weights: Weights): number[] {
  return Object.keys(weights)
    .map(Number)
    .sort((a, b) => b - a);
}

/**
 * The version of a split that may be rolled back: the newest, when it has a share that others can take.
 */
export function candidateOf(weights: Weights): number | undefined {
  const [newest, ...others] = numbersOf(weights);
  return newest !== undefined && others.length > 0 && (weights[newest] ?? 0) > 0 ? newest : undefined;
}

/** The share of one version goes to the others in proportion to theirs, in whole percents; all of it to the newest of them when none has any. */
export function withoutShare(weights: Weights, version: number): Weights {
  const others = numbersOf(weights).filter((number) => number !== version);
  const left = others.reduce((sum, number) => sum + (weights[number] ?? 0), 0);
  const shares = others.map((number, index) => {
    const exact = left > 0 ? ((weights[number] ?? 0) * 100) / left : index === 0 ? 100 : 0;
    return { number, whole: Math.floor(exact), rest: exact - Math.floor(exact) };
  });
  let missing = 100 - shares.reduce((sum, { whole }) => sum + whole, 0);
  for (const share of [...shares].sort((a, b) => b.rest - a.rest)) if (missing-- > 0) share.whole++;
  return Object.fromEntries([[version, 0], ...shares.map(({ number, whole }) => [number, whole])]);
}
