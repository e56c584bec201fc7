import { readFile } from 'node:fs/promises';
import { CATALOGUE, type ErrorCode, HearthError } from '../errors.ts';

/** A running platform, as the options of a command name it. */
export interface Target {
  /** URL of its control plane. */
  api: string;
  /** File that has the token; before the environment's. */
  tokenFile?: string;
  /** The environment's HEARTH_TOKEN. */
  token?: string;
}

/** One request to the control plane; the CLI knows nothing else of a running platform. @throws HearthError what the platform answered, or that it didn't */
export async function request(target: Target, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await send(target, method, path, jsonOf(body));
  const value = await bodyOf(response);
  if (response.ok && value !== undefined) return value;
  throw refusal(target, response, value);
}

/** One whose answer may be large. @throws HearthError as `request` */
export async function download(target: Target, method: string, path: string, body?: unknown): Promise<ReadableStream<Uint8Array>> {
  const response = await send(target, method, path, jsonOf(body));
  if (response.ok && response.body !== null) return response.body;
  throw refusal(target, response, await bodyOf(response));
}

/** Bytes as they are. @throws HearthError as `request` */
export async function upload(target: Target, path: string, type: string, bytes: Uint8Array<ArrayBuffer>): Promise<unknown> {
  const response = await send(target, 'POST', path, { type, data: bytes });
  const value = await bodyOf(response);
  if (response.ok && value !== undefined) return value;
  throw refusal(target, response, value);
}

interface Body {
  type: string;
  data: string | Uint8Array<ArrayBuffer>;
}

function jsonOf(body: unknown): Body | undefined {
  return body === undefined ? undefined : { type: 'application/json', data: JSON.stringify(body) };
}

async function send(target: Target, method: string, path: string, body: Body | undefined): Promise<Response> {
  const { api } = target;
  const token = await tokenOf(target);
  try {
    return await fetch(new URL(path, api), {
      method,
      headers: {
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'Content-Type': body.type }),
      },
      ...(body === undefined ? {} : { body: body.data }),
    });
  } catch (cause) {
    throw new HearthError('internal', `No platform answers at ${api}. Start one with \`hearth up\`, or name its address with --api.`, { cause });
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  return parse(await response.text(), response.headers.get('content-type'));
}

function refusal({ api }: Target, response: Response, value: unknown): HearthError {
  const { code, detail, title, ...extra } = (value ?? {}) as { code?: string; detail?: string; title?: string };
  return new HearthError(
    code !== undefined && code in CATALOGUE ? (code as ErrorCode) : 'internal',
    detail ?? title ?? `${api} answered ${response.status}, and not as a control plane of Hearth does. Is --api its address?`,
    { extra },
  );
}

async function tokenOf({ tokenFile, token }: Target): Promise<string | undefined> {
  if (tokenFile === undefined) return checked(token, 'HEARTH_TOKEN');
  const text = await readFile(tokenFile, 'utf8').catch((cause: Error) => {
    throw new HearthError('unauthenticated', `The token file ${tokenFile} can't be read: ${cause.message}.`, { cause });
  });
  if (text.trim() === '') throw new HearthError('unauthenticated', `The token file ${tokenFile} is empty.`);
  return checked(text.trim(), tokenFile);
}

/** Said here, since what fits no header would be reported with its text in it. */
function checked(token: string | undefined, source: string): string | undefined {
  if (token === undefined || token === '') return undefined;
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new HearthError('unauthenticated', `What ${source} has is no token: tokens have no spaces or line breaks in them.`);
  return token;
}

/** undefined for what is no JSON. */
function parse(text: string, type: string | null): unknown {
  if (text === '') return null;
  if (type === null || !/^application\/([a-z.+-]+\+)?json\b/.test(type)) return undefined;
  return JSON.parse(text);
}
