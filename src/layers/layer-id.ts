import { createHash } from 'node:crypto';

/** What, besides the requirements, decides what pip installs. */
export interface LayerTarget {
  runtime: 'python' | 'nodejs';
  /** Of the interpreter, such as `3.11.2`; the patch level makes no difference to what is installed. */
  version: string;
  /** Such as `cpython-311-x86_64-linux-gnu`. */
  abi: string;
  /** Such as `linux-x64`. */
  platform: string;
}

export const LAYER_ID = /^[0-9a-f]{32}$/;

/** The content hash of a layer: 32 hexadecimal digits. `requirements` is what `normaliseRequirements` returned. */
export function layerId(target: LayerTarget, requirements: string): string {
  const minor = target.version.split('.', 2).join('.');
  const content = JSON.stringify([target.runtime, minor, target.abi, target.platform, requirements]);
  return createHash('sha256').update(content).digest('hex').slice(0, 32);
}
