import { readFile } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { buildImage } from '../sandbox/docker/build-image.ts';
import type { DockerSettings } from '../sandbox/docker/docker-options.ts';
import { imageName } from '../sandbox/docker/image-name.ts';
import { IMAGE_FOLDER } from './files.ts';

/** @param platformId by which it knows its own containers: see groupPrefix */
export async function dockerSettings(config: Config, platformId: string): Promise<DockerSettings> {
  const { docker, limits } = config;
  return {
    socket: docker.socket,
    image: docker.image === '' ? imageName('python', await readDockerfile('python')) : docker.image,
    network: docker.network,
    runtime: docker.runtime,
    platformId,
    dataFolder: config.data_dir,
    engineDataFolder: docker.host_data_dir === '' ? config.data_dir : docker.host_data_dir,
    openEgress: docker.open_egress,
    limits: { memoryBytes: limits.memory_per_instance_bytes, cpu: limits.cpu === 0 ? null : limits.cpu, processes: limits.processes },
    buildMemoryBytes: limits.max_memory_per_instance_bytes,
  };
}

function readDockerfile(runtime: 'python'): Promise<string> {
  return readFile(`${IMAGE_FOLDER}/${runtime}.Dockerfile`, 'utf8');
}

const PROXY = /^(https?|no|all)_proxy$/i;

/**
 * Has the engine build the image of Python functions.
 * @param base the image to build on; undefined: the Dockerfile's own
 * @returns its name, and the name of the one that the platform would take
 * @throws HearthError sandbox_unavailable
 */
export async function buildImages(
  config: Config,
  base: string | undefined,
  onOutput: (text: string) => void,
): Promise<{ name: string; taken: string }> {
  const dockerfile = await readDockerfile('python');
  const name = imageName('python', dockerfile);
  const proxies = Object.fromEntries(Object.entries(config.pipEnvironment).filter(([variable]) => PROXY.test(variable)));
  await buildImage({ socket: config.docker.socket, name, dockerfile, base, proxies, onOutput });
  return { name, taken: config.docker.image === '' ? name : config.docker.image };
}
