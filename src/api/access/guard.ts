import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { HearthError } from '../../errors.ts';
import type { Store } from '../../store/store.ts';
import type { Api } from '../api.ts';
import type { AccessPolicy } from './access-policy.ts';
import { beginChange, endChange } from './audit.ts';
import { Authenticator } from './authenticator.ts';
import { FailureLimiter, type FailureLimits } from './failure-limiter.ts';
import { checkSender } from './own-host.ts';
import { checkRole, includes, roleOf } from './roles.ts';

const FAILURE_LIMITS: FailureLimits = { burst: 10, refillMs: 6_000, maxAddresses: 10_000 };

export interface GuardParts {
  policy: AccessPolicy;
  store: Pick<Store, 'token' | 'touchToken' | 'beginAudit' | 'endAudit'>;
  log: FastifyBaseLogger;
}

/**
 * Stands before every route, in this order: are we addressed by a name of ours, and not by another site's page (`checkSender`); who asks (`Authenticator`);
 * may they (`includes`) — all before a byte of the body is read; then, once the request is known to be sound, the audit log. To be called before routes
 * are registered.
 */
export function guard(app: Api, { policy, store, log }: GuardParts): void {
  const authenticator = new Authenticator({
    store,
    required: policy.required,
    adminHash: policy.adminHash,
    limiter: new FailureLimiter(FAILURE_LIMITS, () => performance.now()),
    clock: Date.now,
    log,
  });
  app.decorateRequest('actor', null);
  app.decorateRequest('change', null);
  app.addHook('onRoute', checkRole);
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' });
    checkSender(request, policy);
    const role = roleOf(request);
    if (role === 'open') return;
    reply.header('cache-control', 'no-store');
    const actor = await authenticator.authenticate(request.headers.authorization, request.ip);
    if (!includes(actor.role, role)) throw refusal(request, role, actor.name, actor.role);
    request.actor = actor;
  });
  app.addHook('preHandler', (request) => beginChange(request, store, Date.now()));
  app.addHook('onSend', (request, reply) => endChange(request, reply, store));
  app.addHook('onClose', () => authenticator.close());
}

function refusal(request: FastifyRequest, needed: string, name: string, role: string): HearthError {
  request.log.warn(
    { token: name, role, method: request.method, route: request.routeOptions.url },
    'a token was used for what its role does not allow',
  );
  return new HearthError(
    'forbidden',
    `${request.method} ${request.routeOptions.url ?? 'this'} needs the role ${needed}; the token ${name} has the role ${role}. An admin makes one with \`hearth tokens create --role ${needed}\`.`,
    { challenge: `Bearer realm="hearth", error="insufficient_scope", scope="${needed}"` },
  );
}
