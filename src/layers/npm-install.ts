import type { BuildResult, NetworkMode, SandboxDriver } from '../sandbox/driver.ts';
import type { RuntimeName } from '../schemas/runtime-name.ts';
import { explainNpm } from './explain-npm.ts';
import { type Install, type InstallResult, type LayerMaker, SITE } from './layer-maker.ts';
import { normalisePackages, type Packages } from './npm-packages.ts';
import { withCertificates } from './pip-environment.ts';
import { watchSize } from './watch-size.ts';

const SIZE_INTERVAL_MS = 2000;
const NPM = '/installer/bin/npm-cli.js';
const CERTIFICATE_FILES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'npm_config_cafile', 'NPM_CONFIG_CAFILE'];

/** npm works in the folder that it installs into, which is empty at first. argv: that folder, the inputs' folder, npm, its arguments. */
const START = `
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
const [site, input, npm, ...argv] = process.argv.slice(2);
mkdirSync(site, { recursive: true });
for (const name of ['package.json', 'package-lock.json']) if (existsSync(input + '/' + name)) copyFileSync(input + '/' + name, site + '/' + name);
const { status, error } = spawnSync(process.execPath, [npm, ...argv], { cwd: site, stdio: ['ignore', 'inherit', 'inherit'] });
if (error) console.error(error.message);
process.exit(status ?? 1);
`;

export interface NpmSettings {
  /** Of Node.js; the first is one by its version. */
  names: readonly RuntimeName[];
  /** Such as `26.10.0`. */
  version: string;
  /** Whether an npm was found for it. */
  hasInstaller: boolean;
  /** The operator's settings: of npm's environment, proxies, certificates. */
  environment: Readonly<Record<string, string>>;
  network: NetworkMode;
}

/** Layers of packages for one version of Node.js. */
export function npmLayers(settings: NpmSettings): LayerMaker {
  const major = settings.version.split('.', 1)[0] ?? '';
  return {
    names: settings.names,
    installer: 'npm',
    target: {
      runtime: 'nodejs',
      version: major,
      abi: `node-${major}-${process.platform}-${process.arch}`,
      platform: `${process.platform}-${process.arch}`,
    },
    normalise: normalisePackages,
    install: (builder, install) => npmInstall(builder, install, settings),
  };
}

async function npmInstall(builder: Pick<SandboxDriver, 'build'>, install: Install, settings: NpmSettings): Promise<InstallResult> {
  const [runtime = 'nodejs'] = settings.names;
  if (!settings.hasInstaller) {
    return { ok: false, output: '', problem: `there is no npm for Node.js ${settings.version} on this machine; the operator has to install one` };
  }
  const { package: description, lock, scripts } = JSON.parse(install.requirements) as Packages;
  const { environment, inputs } = await withCertificates(settings.environment, CERTIFICATE_FILES);
  const tooLarge = new AbortController();
  const watch = watchSize(install.outputFolder, { maxBytes: install.maxBytes * 3, intervalMs: SIZE_INTERVAL_MS, exceeded: () => tooLarge.abort() });
  const building = builder.build({
    id: install.id,
    runtime,
    argv: [
      ...['node', '/input/start.mjs', `/build/${SITE}`, '/input', NPM, lock === null ? 'install' : 'ci'],
      ...['--omit=dev', '--no-audit', '--no-fund', '--no-update-notifier', '--no-progress', '--loglevel=error', '--no-color'],
      ...(scripts ? [] : ['--ignore-scripts']),
    ],
    environment: {
      ...environment,
      HOME: '/build/home',
      npm_config_cache: '/build/npm-cache',
      npm_config_userconfig: '/build/home/.npmrc',
      npm_config_globalconfig: '/etc/npmrc',
    },
    outputFolder: install.outputFolder,
    inputs: {
      ...inputs,
      'start.mjs': START,
      'package.json': JSON.stringify(description),
      ...(lock === null ? {} : { 'package-lock.json': JSON.stringify(lock) }),
    },
    network: settings.network,
    timeoutMs: install.timeoutMs,
    signal: AbortSignal.any([install.signal, tooLarge.signal]),
    onOutput: (chunk) => install.tail.write(chunk),
  });
  const result = await building.finally(() => watch.stop());
  const output = install.tail.text();
  if (tooLarge.signal.aborted) return { ok: false, output, problem: `they grew beyond ${Math.floor(install.maxBytes / 1024 ** 2)} MiB` };
  return { ok: result.code === 0, output, problem: describe(result, install, output) };
}

function describe({ code, timedOut }: BuildResult, install: Install, output: string): string {
  if (code === 0) return '';
  const explained = explainNpm(output);
  if (timedOut) return `not done after ${install.timeoutMs / 1000} s${explained === '' ? '' : `; last heard: ${explained}`}`;
  if (code === null) return `npm was killed${explained === '' ? '' : `; last heard: ${explained}`}`;
  return explained === '' ? `npm ended with exit code ${code} and said nothing` : explained;
}
