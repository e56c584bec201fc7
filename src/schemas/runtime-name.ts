/**
 * What runs a function: `python`, `nodejs` (the first Node.js that the platform is configured with), or `nodejs26`: one of that major version.
 */
export type RuntimeName = 'python' | 'nodejs' | `nodejs${number}`;

export const RUNTIME_NAME = '^(python|nodejs([1-9][0-9]{0,2})?)$';

/** The one that its agent calls itself by, in Hello. */
export function runtimeFamily(runtime: RuntimeName): 'python' | 'nodejs' {
  return runtime === 'python' ? 'python' : 'nodejs';
}
