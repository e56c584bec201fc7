import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { HearthError } from '../errors.ts';
import { createBubblewrapDriver } from '../sandbox/bubblewrap/bubblewrap-driver.ts';
import type { Cgroups } from '../sandbox/cgroup/cgroups.ts';
import { limitProbes } from '../sandbox/cgroup/report.ts';
import { createDockerDriver } from '../sandbox/docker/docker-driver.ts';
import { engineAnswers } from '../sandbox/docker/engine-answers.ts';
import type { NetworkMode, Probe, SandboxDriver } from '../sandbox/driver.ts';
import { type Isolation, isolationLevel } from '../sandbox/isolation-level.ts';
import { createNursery } from '../sandbox/nursery/nursery-driver.ts';
import type { DriverOptions } from '../sandbox/options.ts';
import type { HostRuntime } from '../sandbox/runtimes.ts';
import { createLog, type Logger } from '../telemetry/log.ts';
import { dockerSettings, nodeImages } from './docker.ts';
import { AGENT_FOLDER, NODE_AGENT_FOLDER, ZYGOTE_FOLDER } from './files.ts';
import { openLimits } from './limits.ts';
import { examineNodes } from './node-probes.ts';
import { nodeBoot } from './node-runtimes.ts';
import { readServices } from './services.ts';
import { unusableSettings } from './unusable-settings.ts';

/** What `hearth doctor` tells. */
export interface Examination {
  driver: string;
  /** Modes that work; none when functions can't be isolated here. */
  networks: readonly NetworkMode[];
  isolation: Isolation;
  probes: readonly Probe[];
  /** What is set and can not work here, in sentences. */
  unusable: readonly string[];
}

/** Checks what this machine can do for the platform, without starting it, and whether database and broker answer, where they are set. */
export async function examineMachine(config: Config): Promise<Examination> {
  const sandboxes = examineSandboxes(config);
  if (config.database.url === '' && config.amqp.url === '') return sandboxes;
  // The platform's own start has no need of it.
  const { probeServices } = await import('./service-probes.ts');
  const [machine, services] = await Promise.all([sandboxes, probeServices(config)]);
  // Without its database the platform does not start; without its broker it does.
  const away = services.some(({ name, ok }) => name === 'postgresql' && !ok) && machine.unusable.length === 0;
  const unusable = away ? ['database.url is set, and the database can not be used, as said above.'] : machine.unusable;
  return { ...machine, probes: [...machine.probes, ...services], unusable };
}

async function examineSandboxes(config: Config): Promise<Examination> {
  const { log } = createLog({ level: 'silent', format: 'json' }, false);
  if (config.sandbox.driver === 'docker') return examineDocker(config, log);
  const local = await examineBubblewrap(config, log);
  const { socket } = config.docker;
  const answers = await engineAnswers(socket);
  if (config.sandbox.driver === 'auto' && local.isolation.level === 'none' && answers) {
    const docker = await examineDocker(config, log);
    const why = local.isolation.lacking[0] ?? 'it failed';
    return { ...docker, probes: [{ name: 'bubblewrap', ok: true, detail: `can not be used here, so Docker is: ${why}` }, ...docker.probes] };
  }
  const detail = answers ? `one answers at ${socket}; HEARTH_SANDBOX_DRIVER=docker would use it` : `none answers at ${socket}, and none is needed`;
  return { ...local, probes: [...local.probes, { name: 'docker engine', ok: true, detail }] };
}

async function examineBubblewrap(config: Config, log: Logger): Promise<Examination> {
  // A name of its own, so that a running platform's groups are left alone.
  const cgroups = await openLimits(config, `hearth-${randomUUID().slice(0, 8)}`, null, log);
  const nodes = await examineNodes(config);
  const options = driverOptions(config, AGENT_FOLDER, log, cgroups, nodes.runtimes);
  const driver = createNursery({ ...options, zygoteFolder: ZYGOTE_FOLDER }, createBubblewrapDriver(options));
  try {
    const probes = [...(await driver.probe()), ...limitProbes(cgroups?.found ?? null), ...(await nodes.probe(driver))];
    const networks = driver.networks();
    return {
      driver: 'bubblewrap',
      networks,
      isolation: isolationLevel(probes, networks),
      probes,
      unusable: unusableSettings(config, probes, networks),
    };
  } finally {
    await driver.close();
    await cgroups?.close();
  }
}

async function examineDocker(config: Config, log: Logger): Promise<Examination> {
  // As above; and the data folder need not be there yet, unless it is all that the engine and we have in common.
  const folder = config.docker.host_data_dir === '' ? await mkdtemp(join(tmpdir(), 'hearth-doctor-')) : undefined;
  const settings = await dockerSettings(config, `hearth-doctor-${randomUUID().slice(0, 8)}`);
  const folders = folder === undefined ? {} : { dataFolder: folder, engineDataFolder: folder };
  const options = driverOptions(config, AGENT_FOLDER, log, null);
  const node = { images: await nodeImages(config), boot: (version: string) => nodeBoot(config, NODE_AGENT_FOLDER, version) };
  const driver = createDockerDriver({ ...options, docker: { ...settings, ...folders }, node });
  try {
    const probes = await driver.probe();
    const networks = driver.networks();
    return {
      driver: driver.name,
      networks,
      isolation: isolationLevel(probes, networks),
      probes,
      unusable: unusableSettings(config, probes, networks),
    };
  } finally {
    await driver.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

export function driverOptions(
  config: Config,
  agentFolder: string,
  log: Logger,
  cgroups: Cgroups | null,
  runtimes: readonly HostRuntime[] = [],
): DriverOptions {
  return {
    cgroups: cgroups ?? undefined,
    python: pythonOf(config),
    agentFolder,
    agentEntry: '__main__.py',
    runtimes,
    path: config.toolPath,
    uidBase: config.sandbox.uid_base,
    extraBinds: config.sandbox.extra_binds,
    // Sandboxes know their names and ports only.
    services: readServices(config, () => 0),
    log,
  };
}

export function pythonOf(config: Config): string {
  if (config.sandbox.python !== 'auto') return config.sandbox.python;
  return existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
}

/** Of functions that name none. @throws HearthError network_unavailable */
export function defaultNetwork(config: Config, driver: SandboxDriver, log: Logger): NetworkMode {
  const networks = driver.networks();
  const wanted = config.sandbox.network;
  if (wanted === 'auto') {
    if (networks.includes('egress')) return 'egress';
    log.warn(
      { driver: driver.name },
      'functions have no network unless they ask for one: the mode egress can not be had here; `hearth doctor` says why',
    );
    return networks.includes('none') ? 'none' : 'host';
  }
  if (!networks.includes(wanted))
    throw new HearthError(
      'network_unavailable',
      `The network mode ${wanted} can't be had with the driver ${driver.name} on this machine; \`hearth doctor\` says why.`,
    );
  return wanted;
}

/** pip has to reach its index: the outside world if it can be had apart from the host, else the host's network. */
export function buildNetwork(driver: SandboxDriver): NetworkMode {
  return driver.networks().includes('egress') ? 'egress' : 'host';
}
