import { CATALOGUE, type ErrorCode } from '../../errors.ts';
import type { InvocationRecord } from '../../schemas/records.ts';

/**
 * Whether a call was bad for its caller; null: it says nothing about the function's service, as its caller left, or sent what could not be served. Who was turned
 * away for want of room (429 `queue_full`) was served badly; who was beyond a rate limit never came this far.
 * @param refused it was turned away for want of room
 */
export function isBad({ state, status, errorCode }: Pick<InvocationRecord, 'state' | 'status' | 'errorCode'>, refused: boolean): boolean | null {
  if (refused) return true;
  if (state === 'cancelled') return null;
  if (errorCode !== null) {
    const fault = (CATALOGUE[errorCode as ErrorCode] as { fault: string } | undefined)?.fault;
    return fault === 'caller' ? null : true;
  }
  return state !== 'succeeded' || (status !== null && status >= 500);
}
