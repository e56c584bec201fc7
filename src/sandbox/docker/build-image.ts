import { createInterface } from 'node:readline';
import { HearthError } from '../../errors.ts';
import { Engine, IMAGE_LABEL } from './engine.ts';
import { EngineRefusal } from './engine-client.ts';
import { tar } from './tar.ts';

export interface ImageBuild {
  /** Path of the engine's unix socket. */
  socket: string;
  name: string;
  dockerfile: string;
  /** The image to build on; undefined: the Dockerfile's own. */
  base: string | undefined;
  /** Proxies and the like, as build arguments that Docker knows by itself. */
  proxies: Readonly<Record<string, string>>;
  /** What the engine says as it goes. */
  onOutput(text: string): void;
}

/** @throws HearthError sandbox_unavailable with the engine's last words */
export async function buildImage({ socket, name, dockerfile, base, proxies, onOutput }: ImageBuild): Promise<void> {
  const engine = new Engine(socket);
  try {
    const buildargs = JSON.stringify({ ...proxies, ...(base === undefined ? {} : { BASE: base }) });
    const progress = await engine.buildImage(tar({ Dockerfile: dockerfile }), {
      t: name,
      buildargs,
      rm: 'true',
      forcerm: 'true',
      labels: JSON.stringify({ [IMAGE_LABEL]: name }),
    });
    for await (const line of createInterface({ input: progress })) {
      const { stream, error } = JSON.parse(line) as { stream?: string; error?: string };
      if (stream !== undefined) onOutput(stream);
      if (error !== undefined) throw new EngineRefusal(500, error);
    }
  } catch (error) {
    if (!(error instanceof EngineRefusal)) throw error;
    throw new HearthError('sandbox_unavailable', `The image ${name} could not be built: ${error.message}`, { cause: error });
  } finally {
    engine.close();
  }
}
