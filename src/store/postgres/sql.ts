/** `$from, …`: so many placeholders. */
export function placeholders(count: number, from = 1): string {
  return Array.from({ length: count }, (_, index) => `$${from + index}`).join(', ');
}

/** `a = excluded.a, …`: what an upsert replaces. */
export function replaced(columns: readonly string[], key: readonly string[]): string {
  return columns
    .filter((column) => !key.includes(column))
    .map((column) => `${column} = excluded.${column}`)
    .join(', ');
}

/** Rows that one request may ask for: 1 to `most`. */
export function bounded(limit: number, most: number): number {
  return Math.min(Math.max(1, Math.trunc(limit)), most);
}

/** Deletes a chunk at a time, so that no transaction is long. @returns how many rows went */
export async function inChunks(deleteChunk: () => Promise<number>): Promise<number> {
  let total = 0;
  for (;;) {
    const deleted = await deleteChunk();
    total += deleted;
    if (deleted === 0) return total;
  }
}
