import { dirname } from 'node:path';
import type { SandboxSpec } from '../driver.ts';
import type { ProcessLimits } from '../process-limits.ts';
import { bootArguments, requireRuntime } from '../runtimes.ts';
import { CONNECT } from './connect-program.ts';
import type { DockerOptions } from './docker-options.ts';
import type { ImageRuntime } from './node-images.ts';

const RUNTIME_FOLDER = '/runtime';
const PATH = '/usr/local/bin:/usr/bin:/bin';

/** What runs in a container at first, and where it comes from. */
export interface Boot {
  image: string;
  /** Folder of ours that appears as /runtime. */
  agentFolder: string;
  command: string[];
  /** Of a runtime that can't set them on itself. */
  ulimits?: ProcessLimits;
}

/** @param preload folders inside of the container @throws HearthError sandbox_unavailable for a runtime that is not there */
export function bootOf(spec: SandboxSpec, preload: readonly string[], options: DockerOptions, runtimes: readonly ImageRuntime[]): Boot {
  const { agentFolder, agentEntry, docker } = options;
  const agent = ['python3', '-I', '-S', '-B', `${RUNTIME_FOLDER}/${agentEntry}`, ...preload];
  if (spec.runtime === 'python') return { image: docker.image, agentFolder, command: connecting({}, agent) };
  const runtime = requireNode(runtimes, spec.runtime);
  const { image, executable } = runtime;
  const path = { PATH: `${dirname(executable)}:${PATH}` };
  if (spec.supervised) return { image, agentFolder, command: connecting(path, agent) };
  const command = [executable, ...bootArguments(runtime, RUNTIME_FOLDER, spec.memoryBytes)];
  return { image, agentFolder: runtime.agentFolder, command: connecting({ ...path, ...runtime.environment }, command), ulimits: runtime.limits };
}

/** @throws HearthError sandbox_unavailable */
export function requireNode(runtimes: readonly ImageRuntime[], name: SandboxSpec['runtime']): ImageRuntime {
  return requireRuntime(runtimes, name, 'docker.node_images');
}

function connecting(environment: Readonly<Record<string, string>>, command: readonly string[]): string[] {
  return ['python3', '-I', '-S', '-B', '-c', CONNECT, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`), ...command];
}
