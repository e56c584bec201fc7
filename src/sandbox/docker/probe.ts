import { HearthError } from '../../errors.ts';
import type { NetworkMode, Probe } from '../driver.ts';
import type { DockerSettings } from './docker-options.ts';
import type { EgressGuard } from './egress-guard.ts';
import type { Engine, EngineInfo } from './engine.ts';
import { missingImage, missingRuntime } from './explain-refusal.ts';
import { examination, judge } from './judge.ts';
import { type ImageRuntime, type NodeImagesContext, probeNodeImages } from './node-images.ts';

export interface ProbeContext {
  engine: Engine;
  settings: DockerSettings;
  node: NodeImagesContext['node'];
  guard: EgressGuard;
  /** What that command printed in a container of that network mode and image. @throws */
  run(network: NetworkMode, image: string, command: readonly string[]): Promise<string>;
  onInfo(info: EngineInfo): void;
}

export interface ProbeResult {
  probes: Probe[];
  networks: NetworkMode[];
  /** Of the image's interpreter; undefined when none could be asked. */
  python: readonly [number, number, number] | undefined;
  /** Of the images for Node.js. */
  runtimes: readonly ImageRuntime[];
}

/** Asks the engine, and makes containers that examine themselves. Never throws. */
export async function probeEngine({ engine, settings, node, guard, run, onInfo }: ProbeContext): Promise<ProbeResult> {
  const probes: Probe[] = [];
  const nothing = (name: string, detail: string): ProbeResult => ({
    probes: [...probes, { name, ok: false, detail }],
    networks: [],
    python: undefined,
    runtimes: [],
  });
  let info: EngineInfo;
  try {
    info = await engine.info();
    onInfo(info);
    const api = await engine.client.version();
    probes.push({
      name: 'docker engine',
      ok: true,
      detail: `${info.ServerVersion} on ${info.OperatingSystem}, API ${api}, cgroups version ${info.CgroupVersion ?? '1'}, at ${settings.socket}`,
    });
    const runtimes = Object.keys(info.Runtimes ?? {});
    if (settings.runtime !== '' && !runtimes.includes(settings.runtime)) {
      return nothing('docker runtime', missingRuntime(settings.runtime, `it has ${runtimes.join(', ')}`));
    }
    probes.push({
      name: 'docker runtime',
      ok: true,
      detail: settings.runtime === '' ? `${info.DefaultRuntime} (the engine's default)` : settings.runtime,
    });
    if ((await engine.image(settings.image)) === undefined) return nothing('docker image', missingImage(settings.image));
    probes.push({ name: 'docker image', ok: true, detail: settings.image });
  } catch (error) {
    return nothing('docker engine', messageOf(error));
  }
  probes.push(
    limit(
      'memory',
      info.MemoryLimit && info.SwapLimit,
      info.MemoryLimit ? 'memory of containers is bounded, their swap is not; boot the machine with swapaccount=1' : undefined,
    ),
    limit('cpu', info.CpuCfsQuota),
    limit('pids', info.PidsLimit),
  );
  const networks: NetworkMode[] = [];
  const runPython = (network: NetworkMode, program: string) => run(network, settings.image, ['python3', '-I', '-S', '-B', '-c', program]);
  let python: ProbeResult['python'];
  try {
    const judged = judge(await runPython('none', examination(process.arch)), settings.runtime !== '' && settings.runtime !== 'runc');
    python = judged.python;
    probes.push({ name: 'sandbox', ok: true, detail: `made one, and ran Python ${python?.join('.') ?? ''} in it` }, ...judged.probes);
    if (judged.probes.some(({ ok }) => !ok)) return { probes, networks, python, runtimes: [] };
  } catch (error) {
    probes.push({ name: 'sandbox', ok: false, detail: messageOf(error) });
    return { probes, networks, python, runtimes: [] };
  }
  networks.push('none');
  const [egress, nodes] = await Promise.all([
    tryEgress(settings, guard, () => runPython('egress', 'pass')),
    probeNodeImages({ engine, node, run: (image, command) => run('none', image, command) }),
  ]);
  probes.push(egress, ...nodes.probes);
  if (egress.ok) networks.push('egress');
  networks.push('host');
  return { probes, networks, python, runtimes: nodes.runtimes };
}

async function tryEgress(settings: DockerSettings, guard: EgressGuard, run: () => Promise<unknown>): Promise<Probe> {
  const name = 'network egress';
  if (!settings.openEgress && guard.lacking !== undefined) {
    const why = `the host's own addresses can't be shut to containers: ${guard.lacking}`;
    return { name, ok: false, detail: `${why}; see docs/sandbox.md, or accept the risk by HEARTH_DOCKER_OPEN_EGRESS=true` };
  }
  try {
    await run();
    const open = settings.openEgress ? "; the host's own addresses are open to functions, as docker.open_egress says" : '';
    return { name, ok: true, detail: `the network ${settings.network}${open}` };
  } catch (error) {
    return { name, ok: false, detail: messageOf(error) };
  }
}

function limit(what: string, ok: boolean, trouble = `the engine can't bound it on this machine; \`docker info\` says why`): Probe {
  return { name: `limits ${what}`, ok, detail: ok ? "bounded by the container's cgroup" : trouble };
}

function messageOf(error: unknown): string {
  return error instanceof HearthError || error instanceof Error ? error.message : String(error);
}
