import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Store } from '../../store/store.ts';
import type { Actor } from './authenticator.ts';
import { isReading, roleOf } from './roles.ts';

const MAX_SUBJECT_CHARS = 256;

/** A change under way. */
export interface Change {
  /** Of its entry in the audit log. */
  readonly id: number;
  /** Of the function, as far as the change has one. */
  version: number | null;
}

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor | null;
    /** null for requests that only read, and until the change begins. */
    change: Change | null;
  }
}

/** Tells the audit log which version a change made or made current. */
export function noteVersion(request: FastifyRequest, version: number): void {
  if (request.change !== null) request.change.version = version;
}

/**
 * For `preHandler`: the change is on the disk before it is made. So there is none without an entry, whenever the platform ends, and none is made while
 * entries can't be written.
 */
export async function beginChange(request: FastifyRequest, store: Pick<Store, 'beginAudit'>, now: number): Promise<void> {
  const { actor } = request;
  if (isReading(request.method) || request.is404 || actor === null || roleOf(request) === 'open') return;
  const { url, config } = request.routeOptions;
  const [first] = Object.values((request.params ?? {}) as Record<string, unknown>);
  const subject = config.subject?.(request) ?? String(first ?? '');
  const id = await store.beginAudit({
    at: now,
    tokenId: actor.tokenId,
    actor: actor.name,
    address: request.ip,
    method: request.method,
    route: url ?? '',
    subject: subject.slice(0, MAX_SUBJECT_CHARS),
  });
  request.change = { id, version: null };
}

/** For `onSend`: how it ended is on the disk before the answer leaves. When that can't be written the change has happened all the same, and its entry is there. */
export async function endChange(request: FastifyRequest, reply: FastifyReply, store: Pick<Store, 'endAudit'>): Promise<void> {
  const { change } = request;
  if (change === null) return;
  request.change = null;
  await store
    .endAudit(change.id, reply.statusCode, change.version)
    .catch((err: unknown) => request.log.error({ err, entry: change.id }, 'the end of a change could not be written into the audit log'));
}
