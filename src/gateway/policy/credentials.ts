import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

const BEARER = /^bearer +(\S+) *$/i;
/** Bearer tokens that can only be keys of ours; others are the function's business. */
const BEARER_KEY = /^bearer +hk_/i;

/** The key that a caller presents: X-API-Key, else a bearer token (RFC 6750 §2.1). */
export function presentedKey(headers: IncomingHttpHeaders): string | undefined {
  const own = headers['x-api-key'];
  if (typeof own === 'string') return own;
  return BEARER.exec(headers.authorization ?? '')?.[1];
}

/** Tells the function whose key it was; lower case. */
export const KEY_NAME_HEADER = 'x-hearth-key-name';

/** A caller's own word for it is worth nothing. */
export function dropKeyName(request: IncomingMessage): void {
  keepHeaders(request, (name) => name !== KEY_NAME_HEADER);
}

/** The key ends here: whatever is made of the request from now on, for the function, a queue or a log, has its name in its place. */
export function replaceKey(request: IncomingMessage, keyName: string | null): void {
  keepHeaders(request, (name, value) => name !== 'x-api-key' && !(name === 'authorization' && BEARER_KEY.test(value)));
  if (keyName === null) return;
  request.rawHeaders.push('X-Hearth-Key-Name', keyName);
  // So a traffic split can be sticky by it.
  request.headers[KEY_NAME_HEADER] = keyName;
}

function keepHeaders(request: IncomingMessage, keeps: (name: string, value: string) => boolean): void {
  const kept: string[] = [];
  const raw = request.rawHeaders;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] as string).toLowerCase();
    const value = raw[index + 1] as string;
    if (keeps(name, value)) kept.push(raw[index] as string, value);
    else delete request.headers[name];
  }
  request.rawHeaders = kept;
}
