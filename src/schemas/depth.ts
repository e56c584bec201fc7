import { HearthError } from '../errors.ts';

/** How many functions may have called one another, the last one among them not counted: a loop ends there. */
export const MAX_DEPTH = 8;

export function tooDeep(functionName: string): HearthError {
  return new HearthError(
    'invocation_too_deep',
    `The function "${functionName}" is not invoked: ${MAX_DEPTH} functions have invoked one another already, which is the bound. Do they go round in a circle?`,
    { extra: { max_depth: MAX_DEPTH } },
  );
}
