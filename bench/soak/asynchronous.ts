import type { FunctionDefinition } from '../../src/schemas/function.ts';
import type { Caller } from './caller.ts';

const bounded = { max_instances: 2, timeout_ms: 10_000 };

export const ASYNC_FUNCTIONS: readonly FunctionDefinition[] = [
  { event_type: 'http|POST|/async/good', function_name: 'async-good', function_code: 'def handler(m, c): return m["body"]["n"] + 1', ...bounded },
  {
    event_type: 'http|POST|/async/flaky',
    function_name: 'async-flaky',
    function_code: 'def handler(m, c):\n    if int(m["headers"]["X-Hearth-Attempt"]) < 2: raise ValueError("not yet")\n    return m["body"]["n"] + 1',
    retry: { attempts: 3, min_backoff_ms: 10, max_backoff_ms: 100 },
    ...bounded,
  },
  {
    event_type: 'http|POST|/async/hopeless',
    function_name: 'async-hopeless',
    function_code: 'import os\ndef handler(m, c): os._exit(1)',
    retry: { attempts: 2, min_backoff_ms: 10, max_backoff_ms: 100 },
    ...bounded,
  },
];

/** Work that is accepted, and later looked for: what was right succeeds, also by its second attempt; what fails for good is a dead letter until it is deleted. */
export async function invokeLater(caller: Caller, { api, gateway }: { api: string; gateway: string }, n: number): Promise<void> {
  const kind = (['good', 'flaky', 'hopeless'] as const)[n % 3] as 'good' | 'flaky' | 'hopeless';
  const headers = { Prefer: 'respond-async', 'Content-Type': 'application/json', ...(n % 5 === 0 ? { 'Idempotency-Key': `"${n}"` } : {}) };
  const accepted = await caller.ask(`${gateway}/async/${kind}`, { method: 'POST', headers, body: JSON.stringify({ n }) });
  if (accepted.status !== 202) throw new Error(`${kind}: ${accepted.status} ${accepted.body.slice(0, 300)} in place of 202`);
  const { id } = JSON.parse(accepted.body) as { id: string };
  const record = await caller.json(`${api}/invocations/${id}?wait=60s`, { timeoutMs: 90_000 });
  const said = JSON.stringify({ state: record.state, attempt: record.attempt, dead_reason: record.dead_reason, result: record.result }).slice(0, 500);
  if (kind === 'hopeless') {
    if (record.dead_reason !== 'attempts_exhausted') throw new Error(`hopeless: ${said}`);
    await caller.json(`${api}/dead-letters/${id}`, {});
    await caller.ask(`${api}/dead-letters/${id}`, { method: 'DELETE' });
    await caller.json(`${api}/dead-letters/${id}`, {}, [404]);
  } else if (record.state !== 'succeeded' || (record.result as { body: string }).body !== String(n + 1)) throw new Error(`${kind}: ${said}`);
}
