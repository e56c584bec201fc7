import type { Config } from '../config.ts';
import type { LayerMaker } from '../layers/layer-maker.ts';
import { npmLayers } from '../layers/npm-install.ts';
import { pipLayers } from '../layers/pip-install.ts';
import type { NetworkMode } from '../sandbox/driver.ts';
import type { RuntimeDescription } from '../sandbox/runtimes.ts';

/** How libraries are installed, for each runtime. @param network of builds */
export function layerMakers(
  config: Config,
  network: NetworkMode,
  python: readonly [number, number, number],
  runtimes: readonly RuntimeDescription[],
): [LayerMaker, ...LayerMaker[]] {
  const abi = `cpython-${python[0]}${python[1]}-${process.platform}-${process.arch}`;
  return [
    pipLayers({ interpreter: { version: python.join('.'), abi }, environment: config.pipEnvironment, network }),
    // The name with a version first: a record is to mean the same when the order of the setting changes.
    ...runtimes.map(({ names, version, installer }) =>
      npmLayers({ names: names.toReversed(), version, hasInstaller: installer !== null, environment: config.npmEnvironment, network }),
    ),
  ];
}
