import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createLayers } from '../../../src/layers/create-layers.ts';
import { type LayerMaker, SITE } from '../../../src/layers/layer-maker.ts';
import { memoryLayerStore } from '../../support/memory-layer-store.ts';

it('a layer that is being built shows what its installer has said so far', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-layers-'));
  const [spoken, allowed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const maker: LayerMaker = {
    names: ['python'],
    installer: 'pip',
    target: { runtime: 'python', version: '3.11.2', abi: 'cpython-311', platform: 'linux-x64' },
    normalise: (requirements) => requirements,
    async install(_builder, { tail, outputFolder }) {
      tail.write(Buffer.from('Collecting numpy\n'));
      spoken.resolve();
      await allowed.promise;
      await mkdir(join(outputFolder, SITE), { recursive: true });
      tail.write(Buffer.from('Successfully installed numpy\n'));
      return { ok: true, output: tail.text(), problem: '' };
    },
  };
  const layers = createLayers({
    store: memoryLayerStore(),
    builder: { build: () => Promise.reject(new Error('not asked')) },
    folder,
    defaultRequirements: '',
    makers: [maker],
    log: { info() {}, warn() {}, error() {} },
    clock: Date.now,
  });
  try {
    const built = layers.ensure('numpy', 'science');
    await spoken.promise;
    expect(layers.list()).toMatchObject([{ name: 'science', state: 'building', output: 'Collecting numpy\n' }]);
    allowed.resolve();
    await built;
    expect(layers.list()).toMatchObject([{ state: 'ready', output: 'Collecting numpy\nSuccessfully installed numpy\n' }]);
  } finally {
    allowed.resolve();
    await layers.close();
    await rm(folder, { recursive: true, force: true });
  }
});
