import type { NetworkMode, SandboxDriver } from '../sandbox/driver.ts';
import { explainPip } from './explain-pip.ts';
import { type Install, type InstallResult, type LayerMaker, SITE } from './layer-maker.ts';
import { pipEnvironment } from './pip-environment.ts';
import { normaliseRequirements } from './requirements.ts';
import { watchSize } from './watch-size.ts';

const SIZE_INTERVAL_MS = 2000;

export interface PipSettings {
  /** The interpreter of sandboxes, such as `3.11.2` and `cpython-311-x86_64-linux-gnu`: libraries fit only the one they were installed for. */
  interpreter: { version: string; abi: string };
  /** The operator's settings for pip: PIP_*, proxies, certificates. */
  environment: Readonly<Record<string, string>>;
  /** Of builds; pip needs to reach its index. */
  network: NetworkMode;
}

/** Layers of libraries for Python. */
export function pipLayers(settings: PipSettings): LayerMaker {
  return {
    names: ['python'],
    installer: 'pip',
    target: { runtime: 'python', ...settings.interpreter, platform: `${process.platform}-${process.arch}` },
    normalise: normaliseRequirements,
    install: (builder, install) => pipInstall(builder, install, settings),
  };
}

/**
 * Runs pip in a build sandbox. It has no cache: a writable one, shared, would let one function's build leave something for another's.
 * @returns whether it worked, pip's output (its end), and in one line what went wrong
 * @throws what the builder throws
 */
async function pipInstall(builder: Pick<SandboxDriver, 'build'>, install: Install, settings: PipSettings): Promise<InstallResult> {
  const { environment, inputs } = await pipEnvironment(settings.environment);
  const tooLarge = new AbortController();
  const watch = watchSize(install.outputFolder, { maxBytes: install.maxBytes * 3, intervalMs: SIZE_INTERVAL_MS, exceeded: () => tooLarge.abort() });
  const building = builder.build({
    id: install.id,
    argv: [
      ...['python', '-m', 'pip', 'install', '--target', `/build/${SITE}`],
      // --compile although it is the default: sandboxes see the layer read-only, so what isn't compiled now is compiled at every start.
      ...['--compile', '--prefer-binary', '--no-cache-dir', '--no-input', '--disable-pip-version-check', '--no-warn-script-location'],
      ...['--progress-bar', 'off', '--no-color', '-r', '/input/requirements.txt'],
    ],
    environment,
    outputFolder: install.outputFolder,
    inputs: { ...inputs, 'requirements.txt': install.requirements },
    network: settings.network,
    timeoutMs: install.timeoutMs,
    signal: AbortSignal.any([install.signal, tooLarge.signal]),
    onOutput: (chunk) => install.tail.write(chunk),
  });
  const result = await building.finally(() => watch.stop());
  const output = install.tail.text();
  if (tooLarge.signal.aborted) return { ok: false, output, problem: `they grew beyond ${Math.floor(install.maxBytes / 1024 ** 2)} MiB` };
  return { ok: result.code === 0, output, problem: describe(result.code, result.timedOut, install, output) };
}

function describe(code: number | null, timedOut: boolean, install: Install, output: string): string {
  if (code === 0) return '';
  const explained = explainPip(output);
  if (timedOut) return `not done after ${install.timeoutMs / 1000} s${explained === '' ? '' : `; last heard: ${explained}`}`;
  if (code === null) return `pip was killed${explained === '' ? '' : `; last heard: ${explained}`}`;
  return explained === '' ? `pip ended with exit code ${code} and said nothing` : explained;
}
