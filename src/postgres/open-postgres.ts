import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientConfig, Pool, type PoolClient } from 'pg';
import { HearthError } from '../errors.ts';
import { type DatabaseAddress, databaseAddress } from './database-address.ts';
import type { PostgresDatabase, PostgresLog, Queryable } from './postgres.ts';
import { asTrouble, isConflict, isStalePlan, leavesConnection, reasonOf, toPostgresError } from './postgres-errors.ts';
import { openSession } from './postgres-session.ts';
import { queryable, Statements } from './statements.ts';
import { TYPES } from './values.ts';

export interface PostgresOptions {
  /** See databaseAddress. */
  url: string;
  /** At a time, besides sessions. 1 or more. */
  maxConnections: number;
  log: PostgresLog;
}

/** These are together what a network that was cut costs after it is whole again: TCP itself tries ever more seldom. */
const CONNECT_MS = 6_000;
/** PostgreSQL ends a statement after this; when it doesn't say so either, the connection is given up a little later. */
const STATEMENT_MS = 8_000;
const SILENCE_MS = STATEMENT_MS + 1_000;
const IDLE_IN_TRANSACTION_MS = 10_000;
const IDLE_MS = 30_000;
const FAREWELL_MS = STATEMENT_MS + 5_000;
const TRIES = 6;
const FIRST_RETRY_MS = 10;

/** PostgreSQL is to see within 10 s that a node is cut off, for that one's locks to go. */
const SESSION_SETTINGS = 'search_path=hearth tcp_keepalives_idle=5 tcp_keepalives_interval=1 tcp_keepalives_count=4 tcp_user_timeout=9000';

/**
 * Opens a pool; nothing is connected before the first statement.
 * @throws HearthError invalid_config for a URL that can't be used, or certificates that can't be read
 */
export function openPostgres({ url, maxConnections, log }: PostgresOptions): PostgresDatabase {
  const address = databaseAddress(url);
  const { shown } = address;
  const connection = connectionConfig(address);
  const statements = new Statements();
  const pool = new Pool({ ...connection, max: maxConnections, connectionTimeoutMillis: CONNECT_MS, idleTimeoutMillis: IDLE_MS });
  // The error of a connection that is in use reaches whoever uses it; pg wants somebody to listen all the same.
  pool.on('connect', (client) => client.on('error', () => undefined));
  // Its message alone: pg hangs the connection's parameters on the error.
  pool.on('error', (error) => log.info({ reason: reasonOf(error) }, `a connection to PostgreSQL at ${shown} was lost`));
  let closed: Promise<void> | undefined;

  async function withClient<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    if (closed !== undefined) throw new HearthError('store_unavailable', `The connections to ${shown} are closed; the platform is shutting down.`);
    let client: PoolClient;
    try {
      client = await pool.connect();
    } catch (error) {
      throw asTrouble(error);
    }
    let gone = false;
    try {
      return await work(client);
    } catch (error) {
      gone = !leavesConnection(error);
      throw error;
    } finally {
      client.release(gone);
    }
  }

  /** Tries again what has left nothing behind. */
  async function persistently<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await work();
      } catch (error) {
        if (isStalePlan(error)) statements.forget();
        else if (!isConflict(error)) throw toPostgresError(error, shown);
        if (tries === TRIES) throw toPostgresError(error, shown);
        await sleep(Math.random() * FIRST_RETRY_MS * 2 ** tries);
      }
    }
  }

  return {
    shown,
    query: (sql, values) => persistently(() => withClient((client) => queryable(client, statements).query(sql, values))),
    transaction: (work) => persistently(() => withClient((client) => inTransaction(queryable(client, statements), work))),
    connect: (onEnd) => openSession({ ...connection, connectionTimeoutMillis: CONNECT_MS }, statements, shown, onEnd),
    close() {
      // Farewells that a network swallows are not waited for.
      closed ??= Promise.race([pool.end(), sleep(FAREWELL_MS, undefined, { ref: false })]);
      return closed;
    },
  };
}

async function inTransaction<T>(tx: ReturnType<typeof queryable>, work: (tx: Queryable) => Promise<T>): Promise<T> {
  await tx.query('BEGIN');
  let result: T;
  try {
    result = await work(tx);
  } catch (error) {
    // On a lost connection there is nothing to roll back, and the error is the first one.
    if (leavesConnection(error)) await tx.query('ROLLBACK');
    throw error;
  }
  const { command } = await tx.query('COMMIT');
  // PostgreSQL's answer when a statement had failed and `work` went on all the same.
  if (command !== 'COMMIT') throw new HearthError('internal', 'A transaction went on after a statement of it had failed; nothing of it was kept.');
  return result;
}

function connectionConfig({ host, port, user, password, database, options, ...tls }: DatabaseAddress): ClientConfig {
  const settings = SESSION_SETTINGS.split(' ').map((setting) => `-c ${setting}`);
  return {
    host,
    port,
    user,
    ...(password === '' ? {} : { password }),
    database,
    ssl: tlsConfig(tls),
    options: [options, ...settings].join(' ').trim(),
    application_name: 'hearth',
    statement_timeout: STATEMENT_MS,
    query_timeout: SILENCE_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    types: TYPES as NonNullable<ClientConfig['types']>,
  };
}

function tlsConfig({
  tls,
  rootCertificate,
  certificate,
  key,
}: Pick<DatabaseAddress, 'tls' | 'rootCertificate' | 'certificate' | 'key'>): ClientConfig['ssl'] {
  if (tls === 'disable') return false;
  return {
    rejectUnauthorized: tls !== 'require',
    ...(rootCertificate === null ? {} : { ca: readCertificate('sslrootcert', rootCertificate) }),
    ...(certificate === null ? {} : { cert: readCertificate('sslcert', certificate) }),
    ...(key === null ? {} : { key: readCertificate('sslkey', key) }),
    ...(tls === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
  };
}

function readCertificate(parameter: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HearthError(
      'invalid_config',
      `Configuration: ${parameter} in database.url names a file that can't be read: ${(cause as Error).message}.`,
      { cause },
    );
  }
}
