import type { FastifyRequest, RouteOptions } from 'fastify';
import { ROLES, type Role } from '../../schemas/access.ts';

/** What a route asks of its callers; `open`: nothing, not even a token where tokens are needed. */
export type RouteRole = Role | 'open';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route has one: registering a route without it fails. */
    role?: RouteRole;
    /** What a change is about, for the audit log. Without it: the first parameter of the path. */
    subject?: (request: FastifyRequest) => string;
  }
}

/** Whoever asks for what isn't there must still have a token: what is not declared is not open. */
const UNKNOWN_ROUTE_ROLE: RouteRole = 'read';

export function includes(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

export function roleOf(request: FastifyRequest): RouteRole {
  return request.routeOptions.config.role ?? UNKNOWN_ROUTE_ROLE;
}

/** For Fastify's `onRoute` hook. @throws Error for a route that declares no role, or that would let changes through unasked */
export function checkRole({ method, url, config }: Pick<RouteOptions, 'method' | 'url' | 'config'>): void {
  const role = config?.role;
  if (role === undefined) throw new Error(`The route ${[method].flat().join(', ')} ${url} declares no role: add config: { role: … }.`);
  const changes = [method].flat().some((name) => !isReading(name));
  if (changes && (role === 'open' || role === 'read')) {
    throw new Error(`The route ${[method].flat().join(', ')} ${url} changes something; the role ${role} is for reading.`);
  }
}

/** Methods that are safe (RFC 9110 §9.2.1). */
export function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}
