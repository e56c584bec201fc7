import { HearthError } from '../../errors.ts';
import type { Destinations } from '../../schemas/destination.ts';
import type { InvocationState } from '../../schemas/records.ts';
import type { Acceptance, NewInvocation } from '../durable-queue.ts';
import { headOf, payloadFromRow } from '../job-rows.ts';
import type { BlockingQueue } from './messages.ts';
import type { Session } from './operations.ts';

type AcceptOperations = Pick<BlockingQueue, 'accept' | 'acceptAll' | 'replay' | 'input'>;

const INPUT_SELECT =
  'SELECT j.function_name, j.version_number, j.mode, j.trigger_kind, j.verb, j.path, j.request_id, j.priority, j.destinations, i.head, i.body FROM jobs j JOIN inputs i ON i.seq = j.seq WHERE j.id = ?';

export function acceptOperations({ db, now }: Session): AcceptOperations {
  /** What is known of the key, after taking out what has run out. */
  function known({ functionName, idempotency }: NewInvocation): Acceptance | undefined {
    if (!idempotency) return undefined;
    const row = db
      .statement('SELECT fingerprint, id, expires_at FROM idempotency_keys WHERE function_name = ? AND key = ?')
      .get(functionName, idempotency.key);
    if (!row) return undefined;
    const job = (row.expires_at as number) > now() ? db.statement('SELECT state FROM jobs WHERE id = ?').get(row.id as string) : undefined;
    if (!job) {
      db.statement('DELETE FROM idempotency_keys WHERE function_name = ? AND key = ?').run(functionName, idempotency.key);
      return undefined;
    }
    const id = row.id as string;
    return row.fingerprint === idempotency.fingerprint ? { kind: 'repeated', id, state: job.state as InvocationState } : { kind: 'mismatch', id };
  }

  function accept(invocation: NewInvocation): Acceptance {
    const before = known(invocation);
    if (before) return before;
    const { id, functionName, versionNumber, payload, idempotency } = invocation;
    const acceptedAt = now();
    const dueAt = acceptedAt + invocation.delayMs;
    const { lastInsertRowid: seq } = db
      .statement(
        'INSERT INTO jobs (id, function_name, version_number, mode, trigger_kind, state, verb, path, request_id, priority, accepted_at, age_from, due_at, ' +
          "replay_of, idempotency_key, callback_url, destinations) VALUES (?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      )
      .run(
        id,
        functionName,
        versionNumber,
        invocation.mode,
        payload.trigger,
        payload.verb,
        payload.path,
        payload.requestId,
        invocation.priority,
        acceptedAt,
        dueAt,
        dueAt,
        invocation.replayOf,
        idempotency?.key ?? null,
        invocation.callbackUrl,
        invocation.destinations ? JSON.stringify(invocation.destinations) : null,
      );
    db.statement('INSERT INTO inputs (seq, head, body) VALUES (?, ?, ?)').run(seq, headOf(payload), payload.body);
    if (idempotency) {
      db.statement('INSERT INTO idempotency_keys (function_name, key, fingerprint, id, expires_at) VALUES (?, ?, ?, ?, ?)').run(
        functionName,
        idempotency.key,
        idempotency.fingerprint,
        id,
        acceptedAt + idempotency.keepMs,
      );
    }
    return { kind: 'accepted', id, lane: { functionName, versionNumber }, dueAt };
  }

  return {
    accept,
    acceptAll: (invocations) =>
      invocations.map((invocation, index) => {
        const acceptance = accept(invocation);
        if (acceptance.kind !== 'mismatch') return acceptance;
        const why = `its idempotency key was used for the invocation ${acceptance.id}, with another method, target or body`;
        throw new HearthError('idempotency_key_reused', `Invocation ${index + 1} of ${invocations.length}: ${why}. None was accepted.`);
      }),
    replay: (id, newId) => {
      const row = db.statement(INPUT_SELECT).get(id);
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
        idempotency: null,
      });
    },
    input: (id) => {
      const row = db.statement(INPUT_SELECT).get(id);
      return row && payloadFromRow(row);
    },
  };
}
