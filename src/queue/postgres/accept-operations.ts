import { HearthError } from '../../errors.ts';
import type { Queryable } from '../../postgres/postgres.ts';
import type { Destinations } from '../../schemas/destination.ts';
import type { InvocationState } from '../../schemas/records.ts';
import type { Acceptance, DurableQueue, NewInvocation } from '../durable-queue.ts';
import { headOf, payloadFromRow, type Row } from '../job-rows.ts';
import { bytesOf, WaitingBytes } from '../waiting-bytes.ts';
import { GroupCommit } from './group-commit.ts';
import type { Outbox } from './outbox.ts';
import { asJson, type Session } from './session.ts';

type AcceptOperations = Pick<DurableQueue, 'accept' | 'acceptAll' | 'replay' | 'input'>;

const ROWS = `json_to_recordset($1::json) AS v (
  n integer, id text, function_name text, version_number integer, mode text, trigger_kind text, verb text, path text, request_id text, priority integer,
  accepted_at float8, due_at float8, max_age_ms float8, ticket_due_at float8, replay_of text, key text, fingerprint text, key_until float8, callback_url text,
  destinations text, head text)`;

const INSERT = `
  WITH v AS MATERIALIZED (SELECT * FROM ${ROWS}),
  made AS (
    INSERT INTO queue_jobs (id, function_name, version_number, mode, trigger_kind, state, verb, path, request_id, priority, accepted_at, age_from, max_age_ms,
      due_at, ticket_due_at, replay_of, idempotency_key, callback_url, destinations)
    SELECT id, function_name, version_number, mode, trigger_kind, 'queued', verb, path, request_id, priority, accepted_at, due_at, max_age_ms,
      due_at, ticket_due_at, replay_of, key, callback_url, destinations
    FROM v ORDER BY n
    RETURNING seq, id)
  INSERT INTO queue_inputs (seq, head, body)
  SELECT made.seq, v.head, b.body FROM made JOIN v ON v.id = made.id JOIN unnest($2::bytea[]) WITH ORDINALITY AS b (body, n) ON b.n = v.n`;

/** Of the keys in question, those that have run out or whose invocation is gone. */
const FORGET_KEYS = `
  DELETE FROM queue_keys k USING ${ROWS}
  WHERE k.function_name = v.function_name AND k.key = v.key AND (k.expires_at <= $2 OR NOT EXISTS (SELECT FROM queue_jobs j WHERE j.id = k.id))`;
/** In an order, so that two commits with the same keys don't wait for each other. */
const INSERT_KEYS = `
  INSERT INTO queue_keys (function_name, key, fingerprint, id, expires_at)
  SELECT function_name, key, fingerprint, id, key_until FROM ${ROWS} WHERE key IS NOT NULL ORDER BY function_name, key, n
  ON CONFLICT DO NOTHING RETURNING id`;
const KNOWN_KEYS = `
  SELECT v.n, known.* FROM ${ROWS} CROSS JOIN LATERAL (
    SELECT k.id, k.fingerprint = v.fingerprint AS same, j.state FROM queue_keys k JOIN queue_jobs j ON j.id = k.id
    WHERE k.function_name = v.function_name AND k.key = v.key LIMIT 1) known`;

const INPUT_SELECT =
  'SELECT j.function_name, j.version_number, j.mode, j.trigger_kind, j.verb, j.path, j.request_id, j.priority, j.destinations, j.max_age_ms, i.head, i.body ' +
  'FROM queue_jobs j JOIN queue_inputs i ON i.seq = j.seq WHERE j.id = $1';

/** A key's invocation was deleted, or its key forgotten, between two statements; so often the whole is tried again. */
const TRIES = 5;

type NewRow = ReturnType<ReturnType<typeof rowsOf>>;

/** The rows that invocations make which are accepted now. */
function rowsOf(now: number, outbox: Outbox) {
  return (invocation: NewInvocation, index: number) => {
    const { payload, idempotency } = invocation;
    const dueAt = now + invocation.delayMs;
    return {
      n: index + 1,
      id: invocation.id,
      function_name: invocation.functionName,
      version_number: invocation.versionNumber,
      mode: invocation.mode,
      trigger_kind: payload.trigger,
      verb: payload.verb,
      path: payload.path,
      request_id: payload.requestId,
      priority: invocation.priority,
      accepted_at: now,
      due_at: dueAt,
      max_age_ms: invocation.maxAgeMs ?? null,
      ticket_due_at: outbox.firstDueAt(dueAt, now),
      replay_of: invocation.replayOf,
      key: idempotency?.key ?? null,
      fingerprint: idempotency?.fingerprint ?? null,
      key_until: idempotency ? now + idempotency.keepMs : null,
      callback_url: invocation.callbackUrl,
      destinations: invocation.destinations ? JSON.stringify(invocation.destinations) : null,
      head: headOf(payload),
    };
  };
}

export function acceptOperations({ db, now }: Session, outbox: Outbox): AcceptOperations {
  const waiting = new WaitingBytes('the database', 'database_too_slow');
  const commit = new GroupCommit<NewInvocation, Acceptance>(write);

  async function insert(tx: Queryable, invocations: readonly NewInvocation[], rows: readonly NewRow[]): Promise<void> {
    const bodies = invocations.map(({ payload }) => payload.body);
    await tx.query(INSERT, [asJson(rows.map((row, index) => ({ ...row, n: index + 1 }))), bodies]);
  }

  /** What is known of the keys; of what isn't in it, everything is written now. Undefined: what was known has gone meanwhile. */
  async function insertKeyed(
    tx: Queryable,
    invocations: readonly NewInvocation[],
    rows: readonly NewRow[],
  ): Promise<Map<number, Acceptance> | undefined> {
    const keyed = asJson(rows.filter(({ key }) => key !== null));
    await tx.query(FORGET_KEYS, [keyed, now()]);
    const { rows: made } = await tx.query<{ id: string }>(INSERT_KEYS, [keyed]);
    const fresh = new Set(made.map(({ id }) => id));
    const isNew = rows.map(({ key, id }) => key === null || fresh.has(id));
    await insert(
      tx,
      invocations.filter((_, index) => isNew[index]),
      rows.filter((_, index) => isNew[index]),
    );
    const others = rows.filter((_, index) => !isNew[index]);
    const known = new Map<number, Acceptance>();
    if (others.length === 0) return known;
    const { rows: found } = await tx.query<{ n: number; id: string; same: boolean; state: InvocationState }>(KNOWN_KEYS, [asJson(others)]);
    for (const { n, id, same, state } of found) known.set(n - 1, same ? { kind: 'repeated', id, state } : { kind: 'mismatch', id });
    return known.size === others.length ? known : undefined;
  }

  async function write(invocations: readonly NewInvocation[], check?: (acceptances: readonly Acceptance[]) => void): Promise<Acceptance[]> {
    for (let tries = 0; tries < TRIES; tries++) {
      const rows = invocations.map(rowsOf(now(), outbox));
      const acceptances = (known: ReadonlyMap<number, Acceptance>) =>
        rows.map(
          ({ id, function_name, version_number, due_at }, index): Acceptance =>
            known.get(index) ?? { kind: 'accepted', id, lane: { functionName: function_name, versionNumber: version_number }, dueAt: due_at },
        );
      let known: Map<number, Acceptance> | undefined = new Map();
      if (rows.every(({ key }) => key === null)) await insert(db, invocations, rows);
      else {
        known = await db
          .transaction(async (tx) => {
            const found = await insertKeyed(tx, invocations, rows);
            if (!found) throw new KeyGone();
            check?.(acceptances(found));
            return found;
          })
          .catch((error: unknown) => {
            if (error instanceof KeyGone) return undefined;
            throw error;
          });
      }
      if (!known) continue;
      outbox.queued(
        rows
          .filter((_, index) => !known.has(index))
          .map((row) => ({
            ...row,
            functionName: row.function_name,
            versionNumber: row.version_number,
            ageFrom: row.due_at,
            maxAgeMs: row.max_age_ms,
          })),
      );
      return acceptances(known);
    }
    throw new HearthError('store_unavailable', 'The idempotency key is used and forgotten too fast; try again.', { retryAfter: 1 });
  }

  const accept = (invocation: NewInvocation): Promise<Acceptance> =>
    waiting.bounded(bytesOf(invocation), () => commit.add(invocation, invocation.id, bytesOf(invocation)));

  return {
    accept,
    acceptAll: (invocations) => {
      const bytes = invocations.reduce((sum, invocation) => sum + bytesOf(invocation), 0);
      const all = (acceptances: readonly Acceptance[]): void => {
        for (const [index, acceptance] of acceptances.entries()) {
          if (acceptance.kind !== 'mismatch') continue;
          const why = `its idempotency key was used for the invocation ${acceptance.id}, with another method, target or body`;
          throw new HearthError('idempotency_key_reused', `Invocation ${index + 1} of ${acceptances.length}: ${why}. None was accepted.`);
        }
      };
      return waiting.bounded(bytes, async () => (await write(invocations, all)) as Exclude<Acceptance, { kind: 'mismatch' }>[]);
    },
    async replay(id, newId) {
      const { rows } = await db.query(INPUT_SELECT, [id]);
      const [row] = rows;
      if (!row) return undefined;
      return accept({
        id: newId,
        functionName: row.function_name as string,
        versionNumber: row.version_number as number,
        mode: 'async',
        payload: payloadFromRow(row),
        delayMs: 0,
        priority: row.priority as number,
        callbackUrl: null,
        destinations: row.destinations === null ? null : (JSON.parse(row.destinations as string) as Destinations),
        replayOf: id,
        maxAgeMs: row.max_age_ms as number | null,
        idempotency: null,
      });
    },
    async input(id) {
      const { rows } = await db.query<Row>(INPUT_SELECT, [id]);
      return rows[0] && payloadFromRow(rows[0]);
    },
  };
}

class KeyGone extends Error {}
