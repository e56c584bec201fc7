import type { IncomingMessage } from 'node:http';
import { HearthError } from '../errors.ts';

/** What a request's head says about the connection. */
export interface Framing {
  /** RFC 9110 §10.1.1: the caller waits for a word before it sends the body. */
  expectsContinue: boolean;
  /** Nothing behind this request is read: of what comes in one piece with an Upgrade, Node.js loses the rest. */
  last: boolean;
}

/** RFC 3986 §3.2.2, of which the address in brackets is only looked at, not parsed. */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|(?:[\w.!$&'()*+,;=~-]|%[0-9A-Fa-f]{2})+)(?::\d{0,5})?$/;

/**
 * Checks what RFC 9112 demands of a request's head and Node.js lets pass.
 * @throws HearthError malformed_request, http_version, unsupported_coding, expectation_failed, headers_too_large
 */
export function checkRequest(request: IncomingMessage, maxHeaders: number): Framing {
  const { rawHeaders, httpVersion } = request;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    throw new HearthError('http_version', `This gateway speaks HTTP/1.1 and HTTP/1.0, not HTTP/${httpVersion}.`);
  }
  if (rawHeaders.length > 2 * maxHeaders) throw new HearthError('headers_too_large', `The request has more than ${maxHeaders} headers.`);
  let hosts = 0;
  let expectation: string | null = null;
  let last = false;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    // Comparing lengths first makes this cheap: it stands on the way of every request.
    if (name.length === 4 && name.toLowerCase() === 'host') {
      hosts++;
      checkHost(rawHeaders[index + 1] as string);
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      checkTransferEncoding(rawHeaders[index + 1] as string, httpVersion);
    } else if (name.length === 6 && name.toLowerCase() === 'expect') {
      expectation = expectation === null ? (rawHeaders[index + 1] as string) : `${expectation}, ${rawHeaders[index + 1]}`;
    } else if (name.length === 7 && name.toLowerCase() === 'upgrade') last = true;
  }
  if (hosts > 1) throw new HearthError('malformed_request', 'The request has more than one Host header (RFC 9112 §3.2).');
  if (hosts === 0 && httpVersion === '1.1') throw new HearthError('malformed_request', 'The request has no Host header, which HTTP/1.1 demands.');
  return { expectsContinue: expectation !== null && httpVersion === '1.1' && checkExpectation(expectation), last };
}

/** @throws HearthError malformed_request */
export function checkHost(host: string): void {
  if (!HOST.test(host)) {
    throw new HearthError('malformed_request', 'The host of the request is no name or address with an optional port (RFC 9110 §7.2).');
  }
}

/** One coding, once: what else can be said with it, servers and proxies disagree about. */
function checkTransferEncoding(value: string, httpVersion: string): void {
  if (httpVersion !== '1.1') throw new HearthError('malformed_request', 'HTTP/1.0 knows no Transfer-Encoding (RFC 9112 §6.1).');
  if (value.toLowerCase() === 'chunked') return;
  if (/^[\w-]+(?:\s*,\s*[\w-]+)*$/.test(value)) {
    throw new HearthError(
      'unsupported_coding',
      `The gateway knows no transfer coding but \`chunked\`, alone; the request has \`${value.slice(0, 80)}\`.`,
    );
  }
  throw new HearthError('malformed_request', 'The Transfer-Encoding of the request can not be read.');
}

function checkExpectation(value: string): true {
  if (value.toLowerCase() === '100-continue') return true;
  throw new HearthError('expectation_failed', 'The gateway can meet no expectation but `Expect: 100-continue` (RFC 9110 §10.1.1).');
}
