import { HearthError } from '../../errors.ts';
import type { DockerSettings } from './docker-options.ts';
import { EngineRefusal } from './engine-client.ts';

/** What a refusal of the engine means to whoever runs the platform. Others' errors come back as they are. @param settings with the image that was asked for */
export function explainRefusal(error: unknown, settings: Pick<DockerSettings, 'image' | 'runtime' | 'dataFolder'>): unknown {
  if (error instanceof HearthError) return error;
  if (!(error instanceof EngineRefusal)) {
    return new HearthError('sandbox_unavailable', `The container could not be prepared: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  return new HearthError('sandbox_unavailable', sentence(error, settings), { cause: error });
}

function sentence({ status, message }: EngineRefusal, settings: Parameters<typeof explainRefusal>[1]): string {
  if (status === 404 && /no such image/i.test(message)) return missingImage(settings.image);
  if (/unknown.*runtime|runtime.*not found/i.test(message)) return missingRuntime(settings.runtime, message);
  if (/bind source path does not exist/i.test(message)) {
    return `The Docker Engine does not see a folder of ours (${message}). Where the platform runs in a container, HEARTH_DOCKER_HOST_DATA_DIR must name the engine's path of ${settings.dataFolder}.`;
  }
  return `The Docker Engine refused to make a container: ${message}`;
}

export function missingImage(image: string): string {
  return `The Docker Engine has no image ${image}. Build it by \`hearth images build\`, or name another one by HEARTH_DOCKER_IMAGE (of Node.js: HEARTH_DOCKER_NODE_IMAGES).`;
}

export function missingRuntime(runtime: string, detail: string): string {
  return `The Docker Engine has no runtime '${runtime}' (docker.runtime): ${detail}. Add it to the engine's /etc/docker/daemon.json, or name another one by HEARTH_DOCKER_RUNTIME.`;
}
