import { EXPECTED } from './functions.ts';
import type { AcceptedCall } from './generator.ts';

interface AttemptOnTheWire {
  number: number;
  outcome: string;
  ended_at: number | null;
}

interface InvocationOnTheWire {
  id: string;
  function_name: string;
  state: string;
  dead_reason: string | null;
  attempt: number;
  attempts: AttemptOnTheWire[];
  result: { status: number; body: string | null } | null;
}

export interface Findings {
  accepted: number;
  /** By state. */
  states: Record<string, number>;
  /** Invocations that ran more than once, as the functions themselves told. */
  duplicates: number;
  lostAttempts: number;
  /** What must not be, in words; at most 50. */
  violations: string[];
}

/** Reads the record of every accepted invocation, and proves of each what was promised. */
export async function check(api: string, accepted: readonly AcceptedCall[], runs: ReadonlyMap<string, readonly number[]>): Promise<Findings> {
  const findings: Findings = { accepted: accepted.length, states: {}, duplicates: 0, lostAttempts: 0, violations: [] };
  const violate = (what: string): void => {
    if (findings.violations.length < 50) findings.violations.push(what);
  };
  const seen = new Set<string>();
  const rest = accepted.values();
  const reader = async (): Promise<void> => {
    for (const call of rest) {
      if (seen.has(call.id)) violate(`${call.id} was given to two callers`);
      seen.add(call.id);
      const response = await fetch(`${api}/invocations/${call.id}`);
      if (response.status !== 200) violate(`${call.id} was accepted and has no record: ${response.status}`);
      else examine(call, (await response.json()) as InvocationOnTheWire, runs.get(call.id) ?? [], findings, violate);
    }
  };
  await Promise.all(Array.from({ length: 8 }, reader));
  return findings;
}

function examine(
  call: AcceptedCall,
  record: InvocationOnTheWire,
  runs: readonly number[],
  findings: Findings,
  violate: (what: string) => void,
): void {
  const { id, functionName, number } = call;
  const { state, attempts } = record;
  const expected = EXPECTED[functionName] as { state: string; maxFailures: number };
  findings.states[state] = (findings.states[state] ?? 0) + 1;
  const say = (what: string) =>
    violate(`${id} (${functionName} ${number}): ${what}; ${JSON.stringify(attempts.map(({ number: n, outcome }) => [n, outcome]))}`);

  if (record.id !== id || record.function_name !== functionName) say(`its record is that of ${record.id}, ${record.function_name}`);
  if (state !== expected.state) say(`it ended as ${state}, ${record.dead_reason}`);
  if (attempts.some((attempt, index) => attempt.number !== index + 1 || attempt.ended_at === null))
    say('its attempts are not counted up, or one has no end');
  if (attempts.length !== record.attempt) say(`it has ${record.attempt} attempts, ${attempts.length} are recorded`);
  const successes = attempts.filter(({ outcome }) => outcome === 'succeeded').length;
  if (successes !== (expected.state === 'succeeded' ? 1 : 0)) say(`${successes} attempts succeeded`);
  if (successes === 1 && attempts.at(-1)?.outcome !== 'succeeded') say('it was run again after it had succeeded');
  if (attempts.filter(({ outcome }) => outcome === 'failed').length > expected.maxFailures) say('it was tried more often than its policy says');
  if (expected.state === 'succeeded') {
    const answer = record.result?.body ? (JSON.parse(record.result.body) as { id: string; number: number }) : null;
    if (answer?.id !== id || answer.number !== number) say(`its result is ${JSON.stringify(record.result)}`);
  } else if (record.dead_reason !== 'attempts_exhausted') say(`it is dead for ${record.dead_reason}`);

  const lost = attempts.filter(({ outcome }) => outcome === 'lost').length;
  findings.lostAttempts += lost;
  // Each run under an attempt of its own, and more runs than outcomes only where a lease was lost.
  if (new Set(runs).size !== runs.length) say(`an attempt ran twice: ${runs}`);
  if (runs.some((attempt) => attempt > attempts.length)) say(`an attempt ran that is not recorded: ${runs}`);
  if (runs.length > 1 + lost && expected.state === 'succeeded') say(`it ran ${runs.length} times`);
  if (runs.length > 1 && expected.state === 'succeeded') findings.duplicates++;
}
