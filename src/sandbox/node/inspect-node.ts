import { HearthError } from '../../errors.ts';
import { findProgram } from '../find-program.ts';
import { runCommand } from '../run-command.ts';
import type { InterpreterFiles } from '../runtimes.ts';

/** The first version with module.registerHooks and stripTypeScriptTypes. */
const OLDEST_NODE = [22, 15] as const;
const TIMEOUT_MS = 30_000;
/** It is one file that runs anywhere; its own place may be below /tmp, where a sandbox has its own. */
const SHOWN_AT = '/opt/node/bin/node';

export interface NodeInterpreter {
  /** Such as `26.10.0`. */
  version: string;
  files: InterpreterFiles;
  /** Folder of the npm that it finds beside itself or on PATH, which has all of its own libraries inside; null: there is none. */
  npm: { folder: string; version: string } | null;
}

/** Sets `npm`. */
const FIND_NPM = `
let npm = null;
const beside = path.join(path.dirname(executable), '../lib/node_modules/npm');
const onPath = (process.env.PATH || '').split(':').map((folder) => path.join(folder, 'npm'));
for (const candidate of [beside, ...onPath]) {
  try {
    let folder = fs.realpathSync(candidate);
    while (folder !== '/' && !fs.existsSync(path.join(folder, 'package.json'))) folder = path.dirname(folder);
    const { name, version } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
    // One whose libraries lie elsewhere (Debian's) can't be shown to a sandbox as one folder.
    if (name !== 'npm' || !fs.existsSync(path.join(folder, 'node_modules'))) continue;
    npm = { folder, version };
    break;
  } catch {}
}
`;

/** CommonJS, as `-e` runs it. Prints one line of JSON. */
const FACTS = String.raw`
const fs = require('node:fs');
const path = require('node:path');
const executable = fs.realpathSync(process.execPath);
const objects = new Set();
for (const line of fs.readFileSync('/proc/self/maps', 'utf8').split('\n')) {
  const file = line.split(/\s+/).slice(5).join(' ');
  if (/^\/.*(\.so(\.|$)|\/ld-)/.test(file)) objects.add(fs.realpathSync(file));
}
const head = Buffer.alloc(65536);
const file = fs.openSync(executable);
fs.readSync(file, head);
fs.closeSync(file);
let loader = null;
if (head.readUInt32BE(0) === 0x7f454c46 && head[4] === 2 && head[5] === 1) {
  const offset = Number(head.readBigUInt64LE(32));
  const size = head.readUInt16LE(54);
  for (let index = 0; index < head.readUInt16LE(56); index++) {
    const entry = head.subarray(offset + index * size, offset + (index + 1) * size);
    if (entry.readUInt32LE(0) !== 3) continue;
    const at = Number(entry.readBigUInt64LE(8));
    loader = head.subarray(at, at + Number(entry.readBigUInt64LE(32))).toString().replace(/\0.*/s, '');
  }
}
${FIND_NPM}
console.log(JSON.stringify({ version: process.versions.node, executable, sharedObjects: [...objects].sort(), loader, npm }));
`;

/** The same for one in an image, of which nothing has to be shown to a sandbox. */
export const IMAGE_FACTS = `
const fs = require('node:fs');
const path = require('node:path');
const executable = fs.realpathSync(process.execPath);
${FIND_NPM}
console.log(JSON.stringify({ version: process.versions.node, executable, npm }));
`;

/**
 * Asks a Node.js about itself.
 * @param program an absolute path, or a name that is looked up on `path`
 * @throws HearthError sandbox_unavailable
 */
export async function inspectNode(program: string, path: string): Promise<NodeInterpreter> {
  const file = findProgram(program, path);
  if (file === undefined) {
    throw new HearthError('sandbox_unavailable', `There is no Node.js '${program}' on PATH (${path}). The setting sandbox.node names it.`);
  }
  const result = await runCommand(file, ['-e', FACTS], { environment: { PATH: path }, timeoutMs: TIMEOUT_MS });
  if (result.code !== 0) throw new HearthError('sandbox_unavailable', `The Node.js ${file} does not run: ${result.stderr.trim().slice(-2000)}`);
  const { version, npm, ...files } = JSON.parse(result.stdout) as Pick<NodeInterpreter, 'version' | 'npm'> &
    Pick<InterpreterFiles, 'executable' | 'sharedObjects' | 'loader'>;
  const tooOld = tooOldNode(file, version);
  if (tooOld !== undefined) throw new HearthError('sandbox_unavailable', tooOld);
  return { version, npm, files: { ...files, shownAt: SHOWN_AT, basePrefix: '/', standardLibraries: [], sitePackages: [], openssl: [] } };
}

/** Why this version can't be used; undefined when it can. @param where the program's path, or its image */
export function tooOldNode(where: string, version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return undefined;
  return `${where} is Node.js ${version}; functions need ${OLDEST_NODE.join('.')} or later.`;
}
