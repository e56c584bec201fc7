import assert from 'node:assert/strict';
import { type Answer, describe, type Seen } from '../probe.ts';

/** The values of a header that a function saw. */
export function valuesOf({ headers }: Pick<Seen, 'headers'>, name: string): string[] {
  return headers.flatMap(([one, value]) => (one.toLowerCase() === name ? [value] : []));
}

/** The one value of a header of an answer. */
export function headerOf(answer: Answer, name: string): string | null {
  return valuesOf(answer, name)[0] ?? null;
}

/** That the function saw these bytes. */
export function sawBytes({ body }: Seen, bytes: Buffer): void {
  assert.deepEqual(body, describe(bytes));
}

/** That an answer is this problem. */
export function isProblem(answer: Answer, status: number, code: string): Record<string, unknown> {
  const text = answer.body.toString();
  assert.equal(headerOf(answer, 'content-type')?.split(';')[0], 'application/problem+json', text);
  const problem = JSON.parse(text) as Record<string, unknown>;
  assert.deepEqual([answer.status, problem.code], [status, code], text);
  return problem;
}
