import { readFile } from 'node:fs/promises';
import { ApiClient, ApiProblem, type Arguments, type Operation, type ResponseOf } from '../client/client.ts';
import { CATALOGUE, type ErrorCode, HearthError } from '../errors.ts';
import { unreachable } from './cli-error.ts';
import { hintFor } from './hints.ts';

/** A running platform, as the options of a command name it. */
export interface Target {
  /** URL of its control plane. */
  api: string;
  /** File that has the token; before the environment's. */
  tokenFile?: string;
  /** The environment's HEARTH_TOKEN. */
  token?: string;
}

/** One operation of the control plane; the CLI knows nothing else of a running platform. @throws HearthError what the platform answered, and the command to try next; CliError that it didn't */
export async function call<Name extends Operation>(target: Target, operation: Name, ...taken: Arguments<Name>): Promise<ResponseOf<Name>> {
  const client = new ApiClient(target.api, await tokenOf(target));
  try {
    return await client.call(operation, ...taken);
  } catch (error) {
    throw inOurWords(target, operation, error);
  }
}

function inOurWords({ api }: Target, operation: Operation, error: unknown): unknown {
  if (error instanceof ApiProblem) {
    const { code, status, message, extra } = error;
    if (code !== null) {
      return new HearthError(code in CATALOGUE ? (code as ErrorCode) : 'internal', `${message}${hintFor(operation, code, message)}`, { extra });
    }
    return new HearthError('internal', `${api} answered ${status}, and not as a control plane of Hearth does. Is --api its address?`);
  }
  // As fetch tells it.
  if (error instanceof TypeError) {
    return unreachable(`No platform answers at ${api}. Start one with \`hearth up\`, or name its address with --api.`, error);
  }
  return error;
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
