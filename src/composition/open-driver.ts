import { join } from 'node:path';
import type { Config } from '../config.ts';
import { HearthError } from '../errors.ts';
import type { Cgroups } from '../sandbox/cgroup/cgroups.ts';
import { groupPrefix } from '../sandbox/cgroup/group-prefix.ts';
import { compileAgent } from '../sandbox/compile-agent.ts';
import { createDockerDriver } from '../sandbox/docker/docker-driver.ts';
import { engineAnswers } from '../sandbox/docker/engine-answers.ts';
import type { SandboxDriver } from '../sandbox/driver.ts';
import { inspectInterpreter } from '../sandbox/interpreter.ts';
import { createNursery, type Nursery } from '../sandbox/nursery/nursery-driver.ts';
import type { RuntimeDescription } from '../sandbox/runtimes.ts';
import { requireProbes, selectDriver } from '../sandbox/select-driver.ts';
import type { Logger } from '../telemetry/log.ts';
import { dockerSettings, nodeImages } from './docker.ts';
import { AGENT_FOLDER, ZYGOTE_FOLDER } from './files.ts';
import { tellLimits } from './limits.ts';
import { driverOptions, pythonOf } from './machine.ts';
import { describeNodes, nodeBoot, prepareNodeAgent } from './node-runtimes.ts';

export interface OpenDriver {
  driver: SandboxDriver;
  /** The same driver, where it is one. */
  nursery: Nursery | null;
  /** Of the interpreter inside sandboxes: major, minor, patch. */
  pythonVersion: readonly [number, number, number];
  /** Besides Python. */
  runtimes: readonly RuntimeDescription[];
  /** What bounds a sandbox as a whole. */
  bounds: { memory: boolean; cpu: boolean };
}

/**
 * The driver that the configuration asks for. `auto` is bubblewrap, or Docker where bubblewrap can't be used and an engine answers; never something that isolates less.
 * @param cgroups on their way; null: switched off
 * @throws HearthError sandbox_unavailable
 */
export async function openDriver(config: Config, cgroups: Promise<Cgroups | null>, log: Logger): Promise<OpenDriver> {
  const name = config.sandbox.driver;
  if (name === 'docker') return openDocker(config, log);
  if (name !== 'auto') return openLocal(name, config, await cgroups, log);
  try {
    return await openLocal('bubblewrap', config, await cgroups, log);
  } catch (error) {
    if (!(await engineAnswers(config.docker.socket))) throw error;
    log.warn({ err: error }, 'bubblewrap can not be used here, and a Docker Engine answers: functions run in its containers');
    return openDocker(config, log);
  }
}

async function openLocal(name: 'bubblewrap' | 'process', config: Config, cgroups: Cgroups | null, log: Logger): Promise<OpenDriver> {
  const nodes = describeNodes(config);
  nodes.catch(() => undefined);
  const python = await inspectInterpreter(pythonOf(config), config.toolPath);
  const agentFolder = await compileAgent(AGENT_FOLDER, join(config.data_dir, 'runtime'), python);
  const runtimes = await nodes;
  tellLimits(config, cgroups, log);
  const options = { ...driverOptions(config, agentFolder, log, cgroups, runtimes), interpreter: python };
  const selected = await selectDriver(name, options);
  const nursery =
    name === 'bubblewrap' && config.sandbox.nursery === 'auto' ? createNursery({ ...options, zygoteFolder: ZYGOTE_FOLDER }, selected) : null;
  const places = cgroups?.found.places;
  return {
    driver: nursery ?? selected,
    nursery,
    pythonVersion: python.version,
    runtimes,
    bounds: { memory: places?.memory !== undefined, cpu: places?.cpu !== undefined },
  };
}

async function openDocker(config: Config, log: Logger): Promise<OpenDriver> {
  // Into the data folder: the engine may not see where the platform is installed.
  const agentFolder = await compileAgent(AGENT_FOLDER, join(config.data_dir, 'runtime'), null);
  const settings = await dockerSettings(config, groupPrefix(config.data_dir));
  const nodeAgentFolder = await prepareNodeAgent(config);
  const node = { images: await nodeImages(config), boot: (version: string) => nodeBoot(config, nodeAgentFolder, version) };
  const driver = await requireProbes(createDockerDriver({ ...driverOptions(config, agentFolder, log, null), docker: settings, node }), log);
  if (driver.python === undefined)
    throw new HearthError('sandbox_unavailable', `The image ${settings.image} did not tell the version of its Python.`);
  return { driver, nursery: null, pythonVersion: driver.python, runtimes: driver.runtimes, bounds: { memory: true, cpu: true } };
}
