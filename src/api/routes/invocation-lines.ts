import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { HearthError } from '../../errors.ts';
import { MAX_DELAY_MS } from '../../queue/durable-invocations.ts';
import { validationError } from '../validation.ts';
import { HeaderMap } from '../wire/invoke.ts';

export const MAX_LINES = 10_000;

/** One invocation of a batch. */
export const InvocationLine = Type.Object(
  {
    headers: Type.Optional(HeaderMap),
    body: Type.Optional(Type.Unknown({ description: 'Any JSON value; the function gets its text.' })),
    body_base64: Type.Optional(Type.String({ description: 'Instead of `body`: any bytes.' })),
    delay_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_DELAY_MS, description: 'Not run before so many milliseconds.' })),
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 9, description: 'Higher comes first. Default 5.' })),
    idempotency_key: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  },
  { additionalProperties: false },
);
export type InvocationLine = Static<typeof InvocationLine>;

const validator = Compile(InvocationLine);

/**
 * NDJSON: a JSON object on each line; empty lines are passed over, as its specification allows.
 * @throws HearthError malformed_request with the number of the first line that is wrong, from 1 on
 */
export function parseInvocationLines(bytes: Buffer): { line: number; invocation: InvocationLine }[] {
  const found: { line: number; invocation: InvocationLine }[] = [];
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new HearthError('malformed_request', 'The body is no UTF-8 text. Nothing was accepted.', { cause });
  }
  let line = 0;
  for (const one of text.split('\n')) {
    line++;
    if (one.trim() === '') continue;
    if (found.length === MAX_LINES) throw wrong(line, `a batch has ${MAX_LINES} invocations at most`);
    let value: unknown;
    try {
      value = JSON.parse(one);
    } catch (cause) {
      throw wrong(line, `it is no JSON (${(cause as Error).message.slice(0, 200)})`);
    }
    if (!validator.Check(value)) throw wrong(line, validationError(validator.Errors(value), 'the line').message.replace(/\.$/, ''));
    found.push({ line, invocation: value });
  }
  if (found.length === 0) throw new HearthError('malformed_request', 'The body has no line. Each is one invocation, such as {"body": 1}.');
  return found;
}

/** Nothing of the batch is accepted then. */
export function wrong(line: number, why: string): HearthError {
  return new HearthError('malformed_request', `Line ${line}: ${why}. Nothing was accepted.`, { extra: { line } });
}
