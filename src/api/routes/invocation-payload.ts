import { HearthError } from '../../errors.ts';
import type { InvocationPayload } from '../../queue/durable-queue.ts';
import { parseEventKey } from '../../router/event-key.ts';
import type { FunctionVersion } from '../../schemas/function.ts';

export interface AskedFor {
  verb?: string | undefined;
  path?: string | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  body?: unknown;
  body_base64?: string | undefined;
}

/** What a function is called with that the control plane is asked to run: by default as its event key says. @throws HearthError invalid_request */
export function payloadOf(version: FunctionVersion, { verb, path, headers = {}, body, body_base64: base64 }: AskedFor): InvocationPayload {
  const event = parseEventKey(version.eventKey);
  const key = event.kind === 'http' ? event : { verb: 'POST', path: `/schedules/${version.functionName}` };
  const rawPath = path ?? key.path;
  const question = rawPath.indexOf('?');
  const content = bodyOf(body, base64);
  const list = Object.entries(headers).flat();
  if (content?.json && !Object.keys(headers).some((name) => name.toLowerCase() === 'content-type')) list.push('Content-Type', 'application/json');
  return {
    trigger: 'api',
    verb: verb ?? (key.verb === '*' ? 'POST' : key.verb),
    path: question < 0 ? rawPath : rawPath.slice(0, question),
    rawPath,
    query: question < 0 ? '' : rawPath.slice(question + 1),
    params: {},
    headers: list.filter((_, index) => !/^x-(correlation-id|hearth-attempt|hearth-destination)$/i.test(list[index - (index % 2)] as string)),
    body: content?.bytes ?? null,
    requestId: null,
  };
}

function bodyOf(body: unknown, base64: string | undefined): { bytes: Buffer; json: boolean } | null {
  if (base64 === undefined) return body === undefined ? null : { bytes: Buffer.from(JSON.stringify(body)), json: true };
  if (body !== undefined) throw invalid('body_base64', 'and body can not both be given');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw invalid('body_base64', 'is no base64 text');
  return { bytes: Buffer.from(base64, 'base64'), json: false };
}

export function invalid(field: string, message: string): HearthError {
  return new HearthError('invalid_request', `${field} ${message}.`, { extra: { errors: [{ field, message }] } });
}
