import { HearthError } from '../../errors.ts';
import type { Probe } from '../driver.ts';
import { IMAGE_FACTS, type NodeInterpreter, tooOldNode } from '../node/inspect-node.ts';
import { nodeNames, type RuntimeDescription } from '../runtimes.ts';
import type { DockerOptions, NodeImage } from './docker-options.ts';
import type { Engine } from './engine.ts';
import { missingImage } from './explain-refusal.ts';

/** One that lies in an image, as does its installer. */
export interface ImageRuntime extends RuntimeDescription {
  image: string;
  /** Its path inside. */
  executable: string;
}

export interface NodeImagesContext {
  engine: Pick<Engine, 'image'>;
  node: DockerOptions['node'];
  /** What that command printed in a container of that image. @throws */
  run(image: string, command: readonly string[]): Promise<string>;
}

interface Found {
  image: NodeImage;
  facts?: Pick<NodeInterpreter, 'version' | 'npm'> & { executable: string };
  detail: string;
}

/** Asks the Node.js of each image about itself. Those that can't be used are left out. Never throws. */
export async function probeNodeImages(context: NodeImagesContext): Promise<{ probes: Probe[]; runtimes: ImageRuntime[] }> {
  const { node } = context;
  if (node === undefined) return { probes: [], runtimes: [] };
  const found = await Promise.all(node.images.map((image) => ask(image, context)));
  const runtimes = found.flatMap(({ image, facts }, index) => {
    if (facts === undefined) return [];
    const { version, executable, npm } = facts;
    return [{ ...node.boot(version), names: nodeNames(version, index), version, installer: npm, image: image.name, executable }];
  });
  // One that the operator has named must be there; select-driver knows by the name what the platform can do without.
  const probes = found.map(({ image, facts, detail }) => ({
    name: image.optional ? 'node image' : `node image ${image.name}`,
    ok: facts !== undefined,
    detail,
  }));
  return { probes, runtimes };
}

async function ask(image: NodeImage, { engine, run }: NodeImagesContext): Promise<Found> {
  const { name } = image;
  try {
    if ((await engine.image(name)) === undefined) return { image, detail: `${missingImage(name)} Functions for Node.js are refused so long.` };
    const facts = JSON.parse(await run(name, ['node', '-e', IMAGE_FACTS])) as Required<Found>['facts'];
    const tooOld = tooOldNode(name, facts.version);
    if (tooOld !== undefined) return { image, detail: tooOld };
    const npm = facts.npm === null ? 'no npm, so packages of npm can not be installed' : `npm ${facts.npm.version}`;
    return { image, facts, detail: `${name}: Node.js ${facts.version}, ${npm}` };
  } catch (error) {
    const said = error instanceof HearthError || error instanceof Error ? error.message : String(error);
    return { image, detail: `${name} can not be used. It needs Node.js on PATH as node, and Python as python3: ${said}` };
  }
}
