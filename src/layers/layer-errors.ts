import { HearthError } from '../errors.ts';
import type { RuntimeName } from '../schemas/runtime-name.ts';
import type { LayerMaker } from './layer-maker.ts';

/** The error that users see when their libraries can't be had. `problem` says in one line what went wrong. */
export function buildFailure(id: string, installer: string, problem: string, output: string): HearthError {
  return new HearthError(
    'layer_build_failed',
    `The libraries could not be installed; the output of ${installer} is kept with layer ${id}. ${problem}`,
    {
      extra: { layer: id, output: output.slice(-16 * 1024) },
    },
  );
}

/** Whatever a build threw, as one of ours. */
export function explain(id: string, installer: string, error: unknown, output: string): HearthError {
  if (error instanceof HearthError) return error;
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return buildFailure(id, installer, 'the disk of the platform is full; free some space and try again', output);
  return new HearthError('internal', `Layer ${id} could not be built: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

/** Why a build was ended before its time. */
export function stopped(id: string, closing: boolean): HearthError {
  if (closing) return new HearthError('draining', `The platform shut down before layer ${id} was built; its next use builds it.`);
  return new HearthError('layer_build_failed', `Layer ${id} was removed while it was being built.`, { extra: { layer: id } });
}

export function noSuchRuntime(runtime: RuntimeName, makers: readonly Pick<LayerMaker, 'names'>[]): HearthError {
  const message = `the platform has no "${runtime}"; it has ${makers.flatMap(({ names }) => names).join(', ')}.`;
  return new HearthError('invalid_request', `runtime: ${message}`, { extra: { errors: [{ field: 'runtime', message }] } });
}

/** Of a named layer that was built when the platform had another Node.js. */
export function forgottenRuntime(name: string, runtime: RuntimeName): HearthError {
  return new HearthError(
    'unknown_layer',
    `The layer \`${name}\` is for ${runtime}, which the platform does not have any more. Build it again for one that it has.`,
    { extra: { layer: name } },
  );
}
