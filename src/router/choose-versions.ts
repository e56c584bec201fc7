import { HearthError } from '../errors.ts';
import type { FunctionVersion } from '../schemas/function.ts';
import type { RouteTarget } from './router.ts';

/** Header of a call that wants a version of that number; lower case. */
export const VERSION_HEADER = 'x-hearth-version';

/** Whether what a call's headers say can change which versions it gets, an override apart. */
export function isSplit(targets: readonly RouteTarget[]): boolean {
  for (let index = 0; index < targets.length; index++) if ((targets[index] as RouteTarget).chooser !== null) return true;
  return false;
}

/**
 * Of every target, the version that this call gets. An override leads to the version of that number of each function that has it in service; functions
 * of the same event key that have none of that number get the call as if there were no override.
 * @param override value of the version header
 * @param header value of a header by its lower-case name
 * @throws HearthError unknown_version when the override fits none of them
 */
export function chooseVersions(
  targets: readonly RouteTarget[],
  override: string | undefined,
  header: (name: string) => string | undefined,
): readonly RouteTarget[] {
  const number = override !== undefined && /^[1-9][0-9]{0,14}$/.test(override) ? Number(override) : undefined;
  let named = false;
  const chosen = targets.map((target): RouteTarget => {
    const wanted = number === undefined ? undefined : versionNamed(target, number);
    if (wanted) {
      named = true;
      return { ...target, version: wanted };
    }
    const { chooser } = target;
    if (!chooser) return target;
    return { ...target, version: chooser.choose(chooser.stickyHeader === null ? undefined : header(chooser.stickyHeader)) };
  });
  if (override !== undefined && !named) {
    const names = targets.map(({ version }) => version.functionName).join(', ');
    throw new HearthError(
      'unknown_version',
      `X-Hearth-Version: ${override.slice(0, 40)} is no version in service of ${names}. The current version and those named in the traffic split can be reached; GET /functions/{name}/traffic of the control plane lists them.`,
    );
  }
  return chosen;
}

function versionNamed({ version, chooser }: RouteTarget, number: number): FunctionVersion | undefined {
  return chooser ? chooser.named(number) : version.number === number ? version : undefined;
}
