import { HearthError } from '../errors.ts';
import type { RuntimeName } from '../schemas/runtime-name.ts';
import type { LayerTarget } from './layer-id.ts';
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

export function beingBuilt(id: string): HearthError {
  return unavailable(id, `The libraries of the function are being installed on this machine (layer ${id}). Try again in a few seconds.`, 5);
}

/** @param output what its record has, whose last line says why */
export function notBuilt(id: string, output: string): HearthError {
  const why = output.trimEnd().split('\n').at(-1) ?? '';
  return unavailable(
    id,
    `The libraries of the function could not be installed on this machine (layer ${id}); GET /layers has the output. ${why}`,
    30,
  );
}

/** @param target what this machine builds for; undefined when it hasn't the runtime at all */
export function ofAnotherMachine(id: string, runtime: RuntimeName, target: LayerTarget | undefined): HearthError {
  const here = target === undefined ? `has no ${runtime}` : `builds for ${target.runtime} ${target.version} (${target.abi}, ${target.platform})`;
  return unavailable(
    id,
    `The libraries of the function (layer ${id}) were made on another kind of machine, and can't be made on this one, which ${here}. Nodes of one cluster need the same versions and the same kind of machine.`,
    30,
  );
}

function unavailable(id: string, message: string, retryAfter: number): HearthError {
  return new HearthError('layer_unavailable', message, { extra: { layer: id }, retryAfter });
}
