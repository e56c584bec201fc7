import type { IncomingHttpHeaders } from 'node:http';
import type { RouteMatch, RouteTarget } from '../../router/router.ts';
import type { CorsPolicy } from '../../schemas/policy.ts';

/** The CORS protocol, server's side (Fetch standard, §3.3). A browser enforces it; we only say what it may let a page do. */

/** RFC 9110 §5.6.2, which a method is. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Of several functions on one key that have settings, those of the first by name hold. */
export function corsOf(targets: readonly RouteTarget[]): CorsPolicy | null {
  let first: RouteTarget | null = null;
  for (const target of targets) {
    if (target.version.policy?.cors && (first === null || target.version.functionName < first.version.functionName)) first = target;
  }
  return first?.version.policy?.cors ?? null;
}

/**
 * The headers that answer a preflight in the place of the function that the page wants to call; null when the request is none, or when that function
 * has no CORS settings. No key is asked for: browsers send none with it. From an origin that isn't allowed, nothing is allowed.
 * @param match for the path, by method
 */
export function preflightAnswer(headers: IncomingHttpHeaders, match: (verb: string) => RouteMatch): Record<string, string> | null {
  const { origin, 'access-control-request-method': method } = headers;
  if (origin === undefined || method === undefined || !TOKEN.test(method)) return null;
  const found = match(method);
  const cors = found.kind === 'found' ? corsOf(found.targets) : null;
  if (!cors) return null;
  const answer: Record<string, string> = { Vary: 'Origin, Access-Control-Request-Method' };
  const allowed = allowedOrigin(cors, origin);
  if (allowed === undefined) return answer;
  answer['Access-Control-Allow-Origin'] = allowed;
  answer['Access-Control-Allow-Methods'] = cors.methods ? cors.methods.join(', ') : method;
  if (cors.headers.length > 0) answer['Access-Control-Allow-Headers'] = cors.headers.join(', ');
  if (cors.credentials) answer['Access-Control-Allow-Credentials'] = 'true';
  if (cors.maxAgeS !== null) answer['Access-Control-Max-Age'] = String(cors.maxAgeS);
  return answer;
}

/** Of an actual response: the function's own Access-Control-* give way to those of its settings. @param head names and values in turn */
export function withCors(head: readonly string[], cors: CorsPolicy, origin: string | undefined): string[] {
  const result: string[] = [];
  for (let index = 0; index + 1 < head.length; index += 2) {
    const name = head[index] as string;
    if (!/^access-control-/i.test(name)) result.push(name, head[index + 1] as string);
  }
  // A second line of Vary is one more member of its list (RFC 9110 §5.3). Said to others too, or a cache would give pages what they got.
  if (cors.origins[0] !== '*') result.push('Vary', 'Origin');
  const allowed = allowedOrigin(cors, origin);
  if (allowed === undefined) return result;
  result.push('Access-Control-Allow-Origin', allowed);
  if (cors.credentials) result.push('Access-Control-Allow-Credentials', 'true');
  if (cors.expose.length > 0) result.push('Access-Control-Expose-Headers', cors.expose.join(', '));
  return result;
}

function allowedOrigin({ origins }: CorsPolicy, origin: string | undefined): string | undefined {
  if (origins[0] === '*') return '*';
  return origin !== undefined && origins.includes(origin) ? origin : undefined;
}
