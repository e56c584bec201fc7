import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Config } from '../config.ts';
import { inspectNode } from '../sandbox/node/inspect-node.ts';
import { prepareAgent } from '../sandbox/node/prepare-agent.ts';
import { type HostRuntime, nodeNames, type RuntimeBoot } from '../sandbox/runtimes.ts';
import { NODE_AGENT_FOLDER } from './files.ts';

/** Found by every function, as pika is by those of Python: the platform's own, which brings nothing else along. */
const LIBRARIES = ['amqplib'];
/** What Node.js and the agent have open themselves, and some more. */
const FEWEST_OPEN_FILES = 64;

/**
 * The versions of Node.js on this machine that functions may run on, in the order of the setting `sandbox.node`; none when it is empty.
 * @throws HearthError sandbox_unavailable
 */
export async function describeNodes(config: Config): Promise<HostRuntime[]> {
  const { node: programs } = config.sandbox;
  if (programs.length === 0) return [];
  const agentFolder = await prepareNodeAgent(config);
  const nodes = await Promise.all(programs.map((program) => inspectNode(program === 'auto' ? process.execPath : program, config.toolPath)));
  return nodes.map(({ version, files, npm }, index) => ({
    ...nodeBoot(config, agentFolder, version),
    names: nodeNames(version, index),
    version,
    files,
    installer: npm,
  }));
}

/** @returns the agent's folder, in the data folder @throws HearthError sandbox_unavailable */
export function prepareNodeAgent(config: Config): Promise<string> {
  return prepareAgent(NODE_AGENT_FOLDER, join(config.data_dir, 'runtime'), LIBRARIES.map(packageFolder));
}

/** @param version such as `26.10.0` */
export function nodeBoot({ limits }: Config, agentFolder: string, version: string): RuntimeBoot {
  const { open_files: openFiles, file_bytes: fileBytes, processes } = limits;
  return {
    agentFolder,
    arguments: [
      ...['--max-old-space-size={heapMiB}', '--disable-warning=ExperimentalWarning'],
      ...(stripsTypes(version) ? [] : ['--experimental-strip-types']),
      '{runtime}/main.mjs',
    ],
    // libuv would be refused its io_uring by the system call filter, and say so at every start.
    environment: { UV_USE_IO_URING: '0' },
    limits: { openFiles: Math.max(openFiles, FEWEST_OPEN_FILES), fileBytes, processes },
  };
}

/** Whether it takes types out of the TypeScript files of a bundle without being told. */
function stripsTypes(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major >= 24 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

function packageFolder(name: string): string {
  let folder = dirname(createRequire(import.meta.url).resolve(name));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}
