import type { Operation } from '../client/client.ts';
import type { ErrorCode } from '../errors.ts';

/** What lists the things that a path names, by how the path ends; the first that fits. */
const LISTS: readonly (readonly [RegExp, string])[] = [
  [/\/keys\/\{key\}$/, 'keys list FUNCTION'],
  [/\/functions\/instances\//, 'instances --all'],
  [/\{function_name\}\/versions\/\{number\}/, 'versions FUNCTION'],
  [/\/schedules\//, 'schedules'],
  [/\{function_name\}/, 'list'],
  [/\/invocations\/\{id\}/, 'invocations'],
  [/\/dead-letters\/\{id\}/, 'dead-letters'],
  [/\/layers\/\{layer\}/, 'layers'],
  [/\/queues\/\{queue\}/, 'queues'],
];

/** The command to try next, as a sentence to go behind what the control plane said; empty where it says so itself. */
export function hintFor(operation: Operation, code: ErrorCode | string, message: string): string {
  if (message.includes('hearth ')) return '';
  switch (code) {
    case 'unauthenticated':
      return ' Give the command a token by --token-file or HEARTH_TOKEN; an admin makes one: `hearth tokens create --name NAME --role deploy`.';
    case 'unknown_version':
      return ' `hearth versions FUNCTION` has those that there are.';
    case 'unknown_layer':
      return ' `hearth layers` has those that there are, and `hearth layers build` makes one.';
    case 'unknown_secret':
      return ' `hearth secrets set NAME` makes it.';
    case 'not_found': {
      const list = LISTS.find(([path]) => path.test(operation))?.[1];
      return list === undefined ? '' : ` \`hearth ${list}\` has those that there are.`;
    }
    default:
      return '';
  }
}
