import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import { HearthError } from '../errors.ts';
import type { PostgresSession, Queryable } from './postgres.ts';
import { asTrouble, ConnectionTrouble, isStalePlan, leavesConnection, toPostgresError } from './postgres-errors.ts';
import { queryable, type Statements } from './statements.ts';

const PULSE_MS = 2_000;
/** Without an answer for this long the connection is gone. */
const PULSE_TIMEOUT_MS = 3_000;
const FAREWELL_MS = 2_000;

/**
 * States: open → closed (by its owner) or lost. It is asked for a sign of life every two seconds, since a network that was cut tells nobody.
 * @throws HearthError store_unavailable when no connection can be made
 */
export async function openSession(
  config: ClientConfig,
  statements: Statements,
  shown: string,
  onEnd: (reason: Error) => void,
): Promise<PostgresSession> {
  const client = new Client(config);
  const listeners = new Map<string, ((payload: string) => void)[]>();
  let state: 'open' | 'closed' | 'lost' = 'open';
  let reason: unknown = new ConnectionTrouble(new Error('the connection was closed'));
  let pulse: NodeJS.Timeout | undefined;

  function lose(error: unknown): void {
    if (state !== 'open') return;
    state = 'lost';
    clearTimeout(pulse);
    cut(client);
    onEnd(toPostgresError(error, shown));
  }

  client.on('error', (error) => {
    reason = asTrouble(error);
  });
  client.on('notification', ({ channel, payload }) => {
    for (const listener of listeners.get(channel) ?? []) listener(payload ?? '');
  });
  try {
    await client.connect();
  } catch (error) {
    cut(client);
    throw toPostgresError(asTrouble(error), shown);
  }
  client.on('end', () => lose(reason));
  const own = queryable(client, statements);

  const query: Queryable['query'] = async (sql, values) => {
    if (state !== 'open') throw new HearthError('store_unavailable', `The connection to PostgreSQL at ${shown} is gone; another one is needed.`);
    try {
      return await own.query(sql, values);
    } catch (error) {
      if (!leavesConnection(error)) lose(error);
      if (!isStalePlan(error)) throw toPostgresError(error, shown);
      statements.forget();
      return query(sql, values);
    }
  };

  function schedulePulse(): void {
    pulse = setTimeout(() => {
      pulse = setTimeout(() => lose(new ConnectionTrouble(new Error(`no answer for ${PULSE_TIMEOUT_MS / 1000} s`))), PULSE_TIMEOUT_MS);
      query('SELECT 1').then(() => {
        clearTimeout(pulse);
        if (state === 'open') schedulePulse();
      }, lose);
    }, PULSE_MS);
  }
  schedulePulse();

  return {
    query,
    async listen(channel, listener) {
      const known = listeners.get(channel);
      if (known === undefined) listeners.set(channel, [listener]);
      else known.push(listener);
      await query(`LISTEN ${client.escapeIdentifier(channel)}`);
    },
    async tryLock(key) {
      const { rows } = await query<{ taken: boolean }>('SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken', [key]);
      return rows[0]?.taken === true;
    },
    async unlock(key) {
      await query('SELECT pg_advisory_unlock(hashtextextended($1, 0))', [key]);
    },
    async close() {
      if (state !== 'open') return;
      state = 'closed';
      clearTimeout(pulse);
      // A farewell that the network swallows is not waited for.
      await Promise.race([client.end().catch(() => undefined), sleep(FAREWELL_MS, undefined, { ref: false })]);
      cut(client);
    },
  };
}

/** At once: pg's own end waits for the other side to say goodbye, which a network that was cut never brings. */
function cut(client: Client): void {
  (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
}
