import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createLayers, type LayersDependencies } from '../../../src/layers/create-layers.ts';
import type { Layers } from '../../../src/layers/layers.ts';
import { type PipSettings, pipLayers } from '../../../src/layers/pip-install.ts';
import { memoryLayerStore } from '../../support/memory-layer-store.ts';
import { unsandboxedBuilder } from '../../support/unsandboxed-builder.ts';

/** Rather the system's own than one behind a wrapper that does more at each install than pip. */
export const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';

const question = 'import sys, sysconfig; print(sys.version.split()[0]); print(sysconfig.get_config_var("SOABI"))';

/** What pip needs to reach its index from where the tests run. */
function operatorSettings(): Record<string, string> {
  const wanted = /^(PIP_.*|(https?|no|all)_proxy|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE)$/i;
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => wanted.test(entry[0]) && entry[1] !== undefined),
  );
}

export interface Harness {
  folder: string;
  store: ReturnType<typeof memoryLayerStore>;
  builder: ReturnType<typeof unsandboxedBuilder>;
  logged: { level: string; fields: Record<string, unknown>; text: string }[];
  /** A new `Layers` on the same folder and store, as after a restart; closed when the test ends. */
  layers(changes?: Partial<LayersDependencies>, pip?: Partial<PipSettings>): Layers;
}

export function harness(): Harness {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-layers-'));
  const [version = '', abi = ''] = execFileSync(python, ['-c', question], { encoding: 'utf8' }).split('\n');
  const store = memoryLayerStore();
  const builder = unsandboxedBuilder(python);
  const opened: Layers[] = [];
  const logged: Harness['logged'] = [];
  const logger = (level: string) => (fields: Record<string, unknown>, text: string) => void logged.push({ level, fields, text });
  let now = 1_700_000_000_000;
  onTestFinished(async () => {
    for (const layers of opened) await layers.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    folder,
    store,
    builder,
    logged,
    layers(changes = {}, pip = {}) {
      const layers = createLayers({
        store,
        builder,
        folder: join(folder, 'layers'),
        defaultRequirements: '',
        makers: [pipLayers({ interpreter: { version, abi }, environment: operatorSettings(), network: 'egress', ...pip })],
        log: { info: logger('info'), warn: logger('warn'), error: logger('error') } as LayersDependencies['log'],
        clock: () => (now += 1),
        ...changes,
      });
      opened.push(layers);
      return layers;
    },
  };
}

/** Imports modules by an interpreter that sees its standard library and the layer, and nothing else; returns where each was found. */
export function importFrom(path: string, modules: readonly string[]): string[] {
  const program = `import sys; sys.path.insert(0, sys.argv[1])\nfor name in sys.argv[2:]: print(__import__(name).__file__)`;
  return execFileSync(python, ['-I', '-S', '-B', '-c', program, path, ...modules], { encoding: 'utf8' })
    .trim()
    .split('\n');
}
