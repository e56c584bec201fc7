import { fileURLToPath } from 'node:url';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const ROOT = at('../../');
/** Kept between runs: what takes long to make and no network to keep. */
export const CACHE = at('../../.cache/bench/');
export const PROGRAMS = at('../programs/');
export const README = at('../README.md');
