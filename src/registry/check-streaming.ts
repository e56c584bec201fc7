import { HearthError } from '../errors.ts';
import type { FunctionDefinition, FunctionStyle } from '../schemas/function.ts';

/**
 * Scripts get their body as a variable, runtimes of AWS Lambda in their event: neither can be given it as it comes.
 * @param style that it has, whether said or found out @throws HearthError invalid_request that names the member
 */
export function checkStreaming(definition: FunctionDefinition, style: FunctionStyle): void {
  if (style !== 'script' && style !== 'lambda') return;
  for (const member of ['stream_body', 'websocket'] as const) {
    if (definition[member] !== true) continue;
    const message = `is for handlers and servers; the function is of style "${style}".`;
    throw new HearthError('invalid_request', `${member}: ${message}`, { extra: { errors: [{ field: member, message }] } });
  }
}
