import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FunctionDefinition } from '../../../src/schemas/function.ts';

/** The ways in which a function can be written, as docs/conformance.md names them. */
export const WAYS = [
  'Python script',
  'Python handler',
  'Python server',
  'Node.js script',
  'Node.js handler',
  'Node.js web',
  'Node.js server',
  'awslambdaric',
  'aws-lambda-go',
  'curl',
] as const;
export type Way = (typeof WAYS)[number];

/** What their probes are made of: a file, or a folder that is built. */
export const PROBES: Readonly<Record<Way, { file: string; settings: Partial<FunctionDefinition> }>> = {
  'Python script': { file: 'script.py', settings: { style: 'script' } },
  'Python handler': { file: 'handler.py', settings: {} },
  'Python server': { file: 'server.py', settings: { style: 'server' } },
  'Node.js script': { file: 'script.mjs', settings: { runtime: 'nodejs' } },
  'Node.js handler': { file: 'handler.mjs', settings: { runtime: 'nodejs' } },
  'Node.js web': { file: 'web.mjs', settings: { runtime: 'nodejs' } },
  'Node.js server': { file: 'server.mjs', settings: { runtime: 'nodejs', style: 'server' } },
  awslambdaric: {
    file: 'lambda.py',
    settings: { style: 'lambda', requirements: 'awslambdaric', command: ['python', '-m', 'awslambdaric', 'function.handler'] },
  },
  'aws-lambda-go': { file: 'lambda-go', settings: { style: 'lambda' } },
  curl: { file: 'lambda.sh', settings: { style: 'lambda' } },
};

export const PYTHON: readonly Way[] = ['Python script', 'Python handler', 'Python server', 'awslambdaric'];
export const SCRIPTS: readonly Way[] = ['Python script', 'Node.js script'];
export const HANDLERS: readonly Way[] = ['Python handler', 'Node.js handler'];
export const SERVERS: readonly Way[] = ['Python server', 'Node.js server'];
/** Their probes do but hand on the event: they show what a client gets, whatever its language. */
export const ECHOES: readonly Way[] = ['aws-lambda-go', 'curl'];
export const LAMBDA: readonly Way[] = ['awslambdaric', ...ECHOES];

/** Those that do what their caller asks for. */
export const FULL: readonly Way[] = WAYS.filter((way) => !ECHOES.includes(way));

/** The path below which a way's functions are called, and the name of its function. */
export function nameOf(way: Way): string {
  return way.toLowerCase().replaceAll(/[^a-z]+/g, '-');
}

/** Where a probe is built that is no text. */
export function folderOf(way: Way): string {
  return fileURLToPath(new URL(`probes/${PROBES[way].file}`, import.meta.url));
}

/** A probe as one text: what all of its language share, then what is particular. */
export function codeOf(way: Way): string {
  const { file } = PROBES[way];
  const text = read(file);
  if (file.endsWith('.py')) return `${read('common.py')}\n${text.replace(/^from common import .*\n/m, '')}`;
  if (file.endsWith('.mjs')) return `${read('common.mjs').replaceAll(/^export /gm, '')}\n${text.replace(/^import .* from '.\/common.mjs';\n/m, '')}`;
  return text;
}

function read(file: string): string {
  return readFileSync(new URL(`probes/${file}`, import.meta.url), 'utf8');
}
