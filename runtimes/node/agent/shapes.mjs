// Handlers written for other platforms: OpenFaaS' `(event, context)` of its Node.js templates, OpenWhisk's `main(args)`. Each becomes a handler of ours.

import { FunctionError } from './errors.mjs';
import { parseBody } from './request.mjs';

/** By the name that the inspector of code has for them. */
const SHAPES = { openfaas: fromOpenFaas, openwhisk: fromOpenWhisk };

/** @param shape undefined: it is a handler of ours already */
export function adapt(shape, theirs) {
  return SHAPES[shape]?.(theirs) ?? theirs;
}

/** What has to stand behind the code so that the function can be had from the module; the lines before keep their numbers. */
export function tailOf({ shape, format }) {
  if (shape !== 'openwhisk') return '';
  return format === 'module' ? '\nexport { main as default };' : "\n;if (typeof main === 'function') module.exports.main ??= main;";
}

const lowerCased = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
const typeOf = (headers) => (headers['content-type'] ?? '').split(';', 1)[0].trim().toLowerCase();
const isJson = (type) => type === 'application/json' || type.endsWith('+json');
const FORM = 'application/x-www-form-urlencoded';
const formOf = (text) => Object.fromEntries(new URLSearchParams(text));

function statusOf(value) {
  const status = Number(value);
  if (Number.isInteger(status)) return status;
  throw new FunctionError('TypeError', `a status is a number, not ${JSON.stringify(value)}`);
}

// --- OpenFaaS

/** As its templates' body parsers have it; what they leave out is bytes here. */
function faasBody(raw, type) {
  if (isJson(type)) return parseBody(raw) ?? {};
  if (type.startsWith('text/')) return raw.toString();
  if (type === FORM) return formOf(raw.toString());
  return raw.length === 0 ? {} : raw;
}

function faasEvent(message) {
  const headers = lowerCased(message.headers);
  return { body: faasBody(message.raw_body, typeOf(headers)), headers, method: message.verb, query: message.query, path: message.path };
}

/** `context` of such a function: it says by it what is answered, or returns it. */
class FaasContext {
  #status = 200;
  #headers = {};
  #answer;
  #said = false;

  constructor(answer) {
    this.#answer = answer;
  }

  /** Sets it and returns the context, or tells it. */
  status(code) {
    if (code === undefined) return this.#status;
    this.#status = code;
    return this;
  }

  headers(values) {
    if (values === undefined) return this.#headers;
    this.#headers = values;
    return this;
  }

  succeed(value) {
    this.#said = true;
    this.#answer({ statusCode: statusOf(this.#status), headers: this.#headers, body: faasText(value) });
  }

  fail(error) {
    if (Number(this.#status) === 200) this.#status = 500;
    this.succeed(String(error));
  }

  get said() {
    return this.#said;
  }
}

/** Objects and arrays are JSON; nothing is an empty answer. */
function faasText(value) {
  if (value === undefined || value === null || typeof value === 'string' || value instanceof Uint8Array) return value ?? '';
  return JSON.stringify(value);
}

function fromOpenFaas(theirs) {
  return (message) =>
    new Promise((resolve, reject) => {
      const context = new FaasContext(resolve);
      const callback = (error, value) => (error ? context.fail(error) : context.succeed(value));
      Promise.resolve(theirs(faasEvent(message), context, callback)).then((value) => {
        // Who takes a callback calls it when it is done.
        if (!context.said && (value !== undefined || theirs.length < 3)) context.succeed(value);
      }, reject);
    });
}

// --- OpenWhisk

const BINARY = /^((image|audio|video|font)\/|application\/(octet-stream|pdf|zip|gzip)$)/;

function whiskBody(raw, type) {
  const text = raw.toString();
  return BINARY.test(type) || !Buffer.from(text).equals(raw) ? raw.toString('base64') : text;
}

/** Of a web action: path and query parameters and the members of the body, the latter first; and `__ow_…` about the request. */
function whiskParameters({ headers: given, params, query, raw_body: raw, raw_path: target, verb }) {
  const headers = lowerCased(given);
  const type = typeOf(headers);
  const { '*': rest, ...named } = params;
  const body = type === '' || isJson(type) ? parseBody(raw) : null;
  const members = type === FORM ? formOf(raw.toString()) : body;
  const isObject = typeof members === 'object' && members !== null && !Array.isArray(members);
  return {
    ...named,
    ...query,
    ...(isObject ? members : {}),
    ...(isObject || raw.length === 0 ? {} : { __ow_body: whiskBody(raw, type) }),
    __ow_method: verb.toLowerCase(),
    __ow_headers: headers,
    __ow_path: rest === undefined ? '' : `/${rest.replace(/^\/+/, '')}`,
    __ow_query: target.includes('?') ? target.slice(target.indexOf('?') + 1) : '',
  };
}

function whiskResult(value) {
  if (value === undefined || value === null) return { statusCode: 204 };
  if (typeof value !== 'object' || Array.isArray(value)) throw new FunctionError('TypeError', '`main` returns an object, or a promise of one');
  const { error } = value;
  if (error !== undefined && error !== null) {
    if (typeof error === 'object' && 'statusCode' in error) return whiskResult(error);
    throw new FunctionError('ApplicationError', typeof error === 'string' ? error : (JSON.stringify(error) ?? String(error)));
  }
  if (!('statusCode' in value || 'body' in value)) return value;
  const { headers = {}, body } = value;
  const isEmpty = body === undefined || body === null || body === '';
  const answer = { statusCode: statusOf(value.statusCode ?? (isEmpty ? 204 : 200)), headers, body };
  const isBinary = BINARY.test(typeOf(lowerCased(headers)));
  // As its gateway does: text of a binary type is base64, unless it is none.
  if (isBinary && typeof body === 'string' && Buffer.from(body, 'base64').toString('base64') === body) answer.body = Buffer.from(body, 'base64');
  return answer;
}

function fromOpenWhisk(theirs) {
  return (message) => {
    const value = theirs(whiskParameters(message));
    return typeof value?.then === 'function' ? value.then(whiskResult) : whiskResult(value);
  };
}
