/** Of known words the one that a mistyped one may have meant: two slips at most, and less than half of it. */
export function similar(word: string, known: readonly string[]): string | undefined {
  const bound = Math.min(2, Math.ceil(word.length / 2) - 1);
  const [best] = known
    .map((candidate) => ({ candidate, slips: slipsBetween(word, candidate) }))
    .filter(({ candidate, slips }) => slips <= bound || (word.length >= 3 && candidate.startsWith(word)))
    .sort((a, b) => a.slips - b.slips);
  return best?.candidate;
}

/** Letters to be left out, put in or changed (Levenshtein's distance), row by row. */
function slipsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] as number;
}
