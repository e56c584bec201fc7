import { readFile } from 'node:fs/promises';
import type { Config } from '../config.ts';
import { buildImage } from '../sandbox/docker/build-image.ts';
import type { DockerSettings, NodeImage } from '../sandbox/docker/docker-options.ts';
import { imageName } from '../sandbox/docker/image-name.ts';
import { IMAGE_FOLDER } from './files.ts';

/** What there are Dockerfiles for. */
export type ImageOf = 'python' | 'node';

/** @param platformId by which it knows its own containers: see groupPrefix */
export async function dockerSettings(config: Config, platformId: string): Promise<DockerSettings> {
  const { docker, limits } = config;
  return {
    socket: docker.socket,
    image: docker.image === '' ? await ownImage('python') : docker.image,
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

/** Without our own image, who never built it has Python only; one that the operator has named must be there. */
export async function nodeImages({ docker }: Config): Promise<NodeImage[]> {
  const own = await ownImage('node');
  return docker.node_images.map((name) => (name === 'auto' ? { name: own, optional: true } : { name, optional: false }));
}

async function ownImage(of: ImageOf): Promise<string> {
  return imageName(of, await readDockerfile(of));
}

function readDockerfile(of: ImageOf): Promise<string> {
  return readFile(`${IMAGE_FOLDER}/${of}.Dockerfile`, 'utf8');
}

const PROXY = /^(https?|no|all)_proxy$/i;

export interface BuiltImage {
  name: string;
  /** By the platform, as it is configured. */
  isUsed: boolean;
  /** The setting that says so. */
  setting: string;
}

/** Of what `hearth images build` makes images when it is not told. */
export function imagesWanted({ docker }: Config): ImageOf[] {
  return docker.node_images.includes('auto') ? ['python', 'node'] : ['python'];
}

/**
 * Has the engine build the image of functions in that language.
 * @param base the image to build on; undefined: the Dockerfile's own
 * @throws HearthError sandbox_unavailable
 */
export async function buildImageOf(of: ImageOf, config: Config, base: string | undefined, onOutput: (text: string) => void): Promise<BuiltImage> {
  const dockerfile = await readDockerfile(of);
  const name = imageName(of, dockerfile);
  const proxies = Object.fromEntries(Object.entries(config.pipEnvironment).filter(([variable]) => PROXY.test(variable)));
  await buildImage({ socket: config.docker.socket, name, dockerfile, base, proxies, onOutput });
  const { image, node_images } = config.docker;
  if (of === 'python') return { name, isUsed: image === '' || image === name, setting: 'docker.image' };
  return { name, isUsed: node_images.includes('auto') || node_images.includes(name), setting: 'docker.node_images' };
}
