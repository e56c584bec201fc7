// The Web standard style: a request of ours as a Request.

const BODYLESS = new Set(['GET', 'HEAD']);
/** The standard's constructor refuses these. */
const FORBIDDEN = new Set(['CONNECT', 'TRACE', 'TRACK']);

/** @param body bytes, or a ReadableStream @param signal aborts when nobody wants the answer any more @throws TypeError for a method that a Request can't have */
export function makeRequest(invoke, body, signal) {
  const headers = new Headers();
  let host = 'localhost';
  let scheme = 'http';
  for (let at = 0; at + 1 < invoke.headers.length; at += 2) {
    const name = invoke.headers[at];
    const value = invoke.headers[at + 1];
    headers.append(name, value);
    const lower = name.toLowerCase();
    if (lower === 'host') host = value;
    else if (lower === 'x-forwarded-proto' && value === 'https') scheme = 'https';
  }
  const method = invoke.verb;
  const hasBody = !BODYLESS.has(method) && body.length !== 0;
  if (FORBIDDEN.has(method.toUpperCase())) throw new TypeError(`a Request can't have the method ${method}`);
  return new Request(urlOf(scheme, host, invoke.rawPath), { method, headers, signal, ...(hasBody ? { body, duplex: 'half' } : {}) });
}

function urlOf(scheme, host, target) {
  const path = target.startsWith('/') ? target : `/${target}`;
  const base = URL.parse(`${scheme}://${host}`);
  return (base === null ? 'http://localhost' : `${scheme}://${base.host}`) + path;
}
