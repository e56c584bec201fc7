import { createHash } from 'node:crypto';

/**
 * What the image of a runtime is called that is made from this Dockerfile: `hearth-python:` and a digest of the Dockerfile, so that a platform finds the one that was
 * made for it and no older one.
 */
export function imageName(runtime: string, dockerfile: string): string {
  return `hearth-${runtime}:${createHash('sha256').update(dockerfile).digest('hex').slice(0, 12)}`;
}
