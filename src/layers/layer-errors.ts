import { HearthError } from '../errors.ts';

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
