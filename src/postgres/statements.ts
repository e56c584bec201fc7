import type { ClientBase } from 'pg';
import type { Queryable } from './postgres.ts';
import { asTrouble } from './postgres-errors.ts';
import { toParameter } from './values.ts';

/** Statements that each connection keeps prepared, at most. */
const MAX_PREPARED = 500;

/** The names under which connections keep statements prepared, so that PostgreSQL plans each once for each connection. */
export class Statements {
  readonly #names = new Map<string, string>();
  #generation = 0;

  /** Undefined: it isn't kept. */
  nameOf(sql: string): string | undefined {
    const known = this.#names.get(sql);
    if (known !== undefined || this.#names.size >= MAX_PREPARED) return known;
    const name = `hearth_${this.#generation}_${this.#names.size}`;
    this.#names.set(sql, name);
    return name;
  }

  /** Somebody has changed the tables: all are prepared anew. */
  forget(): void {
    this.#generation += 1;
    this.#names.clear();
  }
}

/** With what PostgreSQL has done: the first word of its answer. */
interface Commands extends Queryable {
  query<R>(sql: string, values?: readonly unknown[]): Promise<{ rows: R[]; changes: number; command: string }>;
}

/** One connection's statements, one after another also when they are asked for at once. Errors are PostgreSQL's own, or ConnectionTrouble. */
export function queryable(client: ClientBase, statements: Statements): Commands {
  let last: Promise<unknown> = Promise.resolve();
  return {
    query<R>(sql: string, values?: readonly unknown[]) {
      const run = last.then(() => runStatement<R>(client, statements, sql, values));
      last = run.catch(() => undefined);
      return run.catch((error: unknown) => {
        throw asTrouble(error);
      });
    },
  };
}

async function runStatement<R>(
  client: ClientBase,
  statements: Statements,
  sql: string,
  values: readonly unknown[] | undefined,
): Promise<{ rows: R[]; changes: number; command: string }> {
  if (values === undefined) {
    // Several statements have several results.
    const results = [await client.query(sql)].flat();
    const result = results.at(-1);
    return { rows: (result?.rows ?? []) as R[], changes: result?.rowCount ?? 0, command: result?.command ?? '' };
  }
  const result = await client.query({ name: statements.nameOf(sql), text: sql, values: values.map(toParameter) });
  return { rows: result.rows as R[], changes: result.rowCount ?? 0, command: result.command };
}
