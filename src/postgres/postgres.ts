/** A row by the names of its columns. */
export type Row = Record<string, unknown>;

export interface Queryable {
  /**
   * Runs one statement with `$1`-style values; without values, several with `;` between them, of which the last one's rows come back. Strings may have any
   * character, U+0000 too; `bigint` and `numeric` come back as numbers.
   * @throws HearthError store_unavailable when the database can't be reached or doesn't answer in time; internal, with its message as the cause, when it refuses the statement
   */
  query<R = Row>(sql: string, values?: readonly unknown[]): Promise<{ rows: R[]; changes: number }>;
}

/** PostgreSQL, by a pool of connections which are made when they are needed, and again when they were lost. Unqualified names are those of schema `hearth`. */
export interface PostgresDatabase extends Queryable {
  /**
   * All or nothing. What `work` throws rolls back and is thrown. After a serialisation failure or a deadlock `work` is run again, a few times, so it must change nothing but the database.
   * Errors of statements reach `work` as pg has them, and are ours when they leave here; after one of them the transaction is lost.
   * When the connection is lost while it commits, nobody knows whether it did: store_unavailable all the same.
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  /** A connection outside the pool. `onEnd` tells once when it is gone, if it wasn't closed: within some 5 s, also of a network that is cut. */
  connect(onEnd: (reason: Error) => void): Promise<PostgresSession>;
  /** Lets what is under way end. Sessions are their owners' to close. */
  close(): Promise<void>;
  /** Host, port and database, for logs and errors. */
  readonly shown: string;
}

/** One connection, whose statements run one after another and are to be short. What it holds (locks, LISTEN) goes with it. */
export interface PostgresSession extends Queryable {
  /** From then on `listener` is called for every NOTIFY on that channel. */
  listen(channel: string, listener: (payload: string) => void): Promise<void>;
  /** Takes a session-level advisory lock, unless somebody else has it; `key` is hashed. It is held until `unlock` or the session's end. */
  tryLock(key: string): Promise<boolean>;
  unlock(key: string): Promise<void>;
  close(): Promise<void>;
}

export interface PostgresLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
