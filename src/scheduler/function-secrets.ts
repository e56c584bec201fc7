import type { RuntimeErrorMessage } from '../protocol/messages.ts';
import { createMask, type Mask } from '../secrets/mask.ts';
import type { Secrets } from '../secrets/secrets.ts';
import * as errors from './instance-errors.ts';

/** With the environment, whose bound is in the registry, they fit into one frame. */
const MAX_JSON_BYTES = 384 * 1024;

/** What an instance was given: the values for its sandbox, and how to keep them out of what is shown of it. */
export interface GivenSecrets {
  readonly values: Readonly<Record<string, string>>;
  /** Undefined when none is long enough to be told from other text. */
  readonly mask: Mask | undefined;
}

const NONE: GivenSecrets = { values: {}, mask: undefined };

/** @throws HearthError function_load_failed, secret_unreadable */
export function giveSecrets(functionName: string, names: readonly string[], secrets: Pick<Secrets, 'reveal'>): GivenSecrets {
  if (names.length === 0) return NONE;
  const values: Record<string, string> = {};
  for (const name of names) {
    const value = secrets.reveal(name);
    if (value === undefined) throw errors.secretGone(functionName, name);
    values[name] = value;
  }
  if (Buffer.byteLength(JSON.stringify(values)) > MAX_JSON_BYTES) throw errors.secretsTooLarge(functionName, MAX_JSON_BYTES);
  return { values, mask: createMask(Object.values(values)) };
}

/** What a function raised may have quoted them. */
export function maskError(error: RuntimeErrorMessage, mask: Mask | undefined): RuntimeErrorMessage {
  if (!mask) return error;
  return { type: mask(error.type), message: mask(error.message), ...(error.trace === undefined ? {} : { trace: mask(error.trace) }) };
}
