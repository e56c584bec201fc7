import { HearthError } from '../errors.ts';
import type { FunctionDefinition, ProgramPolicy } from '../schemas/function.ts';

/** OpenFaaS' own, and what most images of servers listen on. */
const DEFAULT_PORT = 8080;
const DEFAULT_STOP_GRACE_MS = 5000;

/** Whether functions of that style are programs, which are started, and not loaded. */
export function isProgram(style: FunctionDefinition['style']): style is 'server' | 'lambda' {
  return style === 'server' || style === 'lambda';
}

/** @throws HearthError invalid_request that names the member */
export function checkProgram({ style, command, server, invokes }: FunctionDefinition): void {
  if (isProgram(style)) {
    if ((invokes?.length ?? 0) > 0) throw invalid('invokes', 'a program has no `hearth.invoke`; only scripts and handlers may invoke others.');
    if (command?.some((argument) => argument.includes('\0') || !argument.isWellFormed()))
      throw invalid('command', 'an argument is a text without NUL characters and lone surrogates.');
    if (style === 'lambda' && Object.keys(server ?? {}).some((member) => member !== 'stop_grace_ms'))
      throw invalid('server', 'a function of style "lambda" listens on nothing; only `stop_grace_ms` may stand here.');
    return;
  }
  if (command !== undefined) throw invalid('command', 'only programs have one: say `"style": "server"` or `"style": "lambda"`.');
  if (server !== undefined) throw invalid('server', 'only programs have one: say `"style": "server"`.');
}

export function programOf({ style, command, server = {} }: FunctionDefinition): ProgramPolicy | null {
  if (!isProgram(style)) return null;
  return {
    command: command ?? null,
    port: server.port ?? DEFAULT_PORT,
    readyPath: server.ready_path ?? null,
    healthPath: server.health_path ?? null,
    stopGraceMs: server.stop_grace_ms ?? DEFAULT_STOP_GRACE_MS,
  };
}

function invalid(field: string, message: string): HearthError {
  return new HearthError('invalid_request', `${field}: ${message}`, { extra: { errors: [{ field, message }] } });
}
