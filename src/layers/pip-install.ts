import type { NetworkMode, SandboxDriver } from '../sandbox/driver.ts';
import { explainPip } from './explain-pip.ts';
import { OutputTail } from './output-tail.ts';
import { pipEnvironment } from './pip-environment.ts';
import { watchSize } from './watch-size.ts';

/** The folder, inside the build's output folder, that becomes the layer; what lies beside it is temporary. */
export const SITE = 'site';

const KEPT_OUTPUT_BYTES = 64 * 1024;
const SIZE_INTERVAL_MS = 2000;

export interface PipInstall {
  /** Names the build's sandbox. */
  id: string;
  /** Normalised. */
  requirements: string;
  outputFolder: string;
  settings: Readonly<Record<string, string>>;
  network: NetworkMode;
  timeoutMs: number;
  signal: AbortSignal;
  /** Bytes that the layer may have. While it is built it may have three times that: an archive, its content, and what is compiled of it. */
  maxBytes: number;
}

/**
 * Runs pip in a build sandbox. It has no cache: a writable one, shared, would let one function's build leave something for another's.
 * @returns whether it worked, pip's output (its end), and in one line what went wrong
 * @throws what the builder throws
 */
export async function pipInstall(
  builder: Pick<SandboxDriver, 'build'>,
  install: PipInstall,
): Promise<{ ok: boolean; output: string; problem: string }> {
  const { environment, inputs } = await pipEnvironment(install.settings);
  const tail = new OutputTail(KEPT_OUTPUT_BYTES);
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
    network: install.network,
    timeoutMs: install.timeoutMs,
    signal: AbortSignal.any([install.signal, tooLarge.signal]),
    onOutput: (chunk) => tail.write(chunk),
  });
  const result = await building.finally(() => watch.stop());
  const output = tail.text();
  if (tooLarge.signal.aborted) return { ok: false, output, problem: `they grew beyond ${Math.floor(install.maxBytes / 1024 ** 2)} MiB` };
  return { ok: result.code === 0, output, problem: describe(result.code, result.timedOut, install, output) };
}

function describe(code: number | null, timedOut: boolean, install: PipInstall, output: string): string {
  if (code === 0) return '';
  const explained = explainPip(output);
  if (timedOut) return `not done after ${install.timeoutMs / 1000} s${explained === '' ? '' : `; last heard: ${explained}`}`;
  if (code === null) return `pip was killed${explained === '' ? '' : `; last heard: ${explained}`}`;
  return explained === '' ? `pip ended with exit code ${code} and said nothing` : explained;
}
