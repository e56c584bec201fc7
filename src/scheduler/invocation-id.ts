import { randomUUID } from 'node:crypto';

/**
 * A UUID of version 7 (RFC 9562 §5.7): the time in front, 74 random bits behind. Records come to the store in the order of their ids, which keeps its index
 * compact; the random part keeps anybody from guessing the id of somebody else's invocation.
 */
export function newInvocationId(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
