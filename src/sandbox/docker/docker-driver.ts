import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { HearthError } from '../../errors.ts';
import { layerPath } from '../bubblewrap/bubblewrap-sandbox.ts';
import { UidAllocator } from '../bubblewrap/uid-allocator.ts';
import type { BuildResult, BuildSpec, NetworkMode, Probe, Sandbox, SandboxDriver, SandboxSpec } from '../driver.ts';
import { firstByte } from '../first-byte.ts';
import { type Listens, LoopbackAddresses } from '../loopback-addresses.ts';
import { DEFAULT_BOOT_TIMEOUT_MS, DEFAULT_UID_BASE, PRIVATE_STREAM_LISTEN, privateServices } from '../options.ts';
import { NOT_STARTED, superviseBuild } from '../supervise-build.ts';
import { bootOf, requireNode } from './boot.ts';
import { buildPlan, prepareFolders, removeTemporary } from './build.ts';
import { type ChannelDoor, openChannelDoor } from './channel-door.ts';
import { HOLD } from './connect-program.ts';
import { connected } from './connected.ts';
import { Container } from './container.ts';
import { CHANNEL_FOLDER, type ContainerPlan, containerSettings, networkName } from './container-settings.ts';
import type { DockerOptions } from './docker-options.ts';
import { DockerSandbox } from './docker-sandbox.ts';
import { type EgressGuard, egressGuard } from './egress-guard.ts';
import { Engine, PLATFORM_LABEL } from './engine.ts';
import { type EngineUsers, engineUsers, plainUsers } from './engine-users.ts';
import { explainRefusal } from './explain-refusal.ts';
import { Leftovers } from './leftovers.ts';
import type { ImageRuntime } from './node-images.ts';
import { engineView } from './path-mapping.ts';
import { probeEngine } from './probe.ts';
import { seccompProfile } from './seccomp-profile.ts';

const NAME = 'docker';
/** Inside the data folder; none but the platform may enter it. */
const DOORS = 'docker';
/** From the end of a sandbox's channel to its own. */
const LAST_WORDS_MS = 1000;
const OUT_OF_MEMORY = '\nThe build needed more memory than it may use (limits.max_memory_per_instance_bytes), and was killed.\n';

export interface DockerSandboxes extends SandboxDriver {
  /** Version of the interpreter in the image; known after a `probe` that could ask it. */
  readonly python: readonly [number, number, number] | undefined;
  /** What its images for Node.js hold; known after a `probe`. */
  readonly runtimes: readonly ImageRuntime[];
}

/** Sandboxes are containers of a Docker Engine, asked for by its API. See docs/sandbox.md. Touches nothing until it is used. */
export function createDockerDriver(options: DockerOptions): DockerSandboxes {
  return new DockerDriver(options);
}

class DockerDriver implements DockerSandboxes {
  python: DockerSandboxes['python'];
  runtimes: DockerSandboxes['runtimes'] = [];
  readonly name = NAME;
  readonly warnings: readonly string[] = [
    "Functions with network mode host have the machine's whole network, its loopback and abstract sockets included.",
    'Functions with network mode egress reach one another and whatever else is on their network, if it listens on more than its loopback.',
  ];
  readonly #options: DockerOptions;
  readonly #engine: Engine;
  readonly #leftovers: Leftovers;
  readonly #uids: UidAllocator;
  readonly #addresses = new LoopbackAddresses();
  readonly #running = new Set<Container>();
  readonly #guard: EgressGuard;
  #networks: readonly NetworkMode[] = [];
  readonly #buildUid: number;
  #users: EngineUsers;
  #prepared: Promise<void> | undefined;
  /** While somebody asks whether it is there. */
  #network: Promise<boolean> | undefined;
  #closed = false;

  constructor(options: DockerOptions) {
    this.#options = options;
    this.#engine = new Engine(options.docker.socket);
    this.#leftovers = new Leftovers(this.#engine, options.log);
    this.#uids = new UidAllocator(options.uidBase ?? DEFAULT_UID_BASE);
    this.#guard = egressGuard(options.path);
    this.#buildUid = (options.uidBase ?? DEFAULT_UID_BASE) - 1;
    this.#users = plainUsers(this.#buildUid);
  }

  async probe(): Promise<Probe[]> {
    const { docker, node } = this.#options;
    const { probes, networks, python, runtimes } = await probeEngine({
      engine: this.#engine,
      settings: docker,
      node,
      guard: this.#guard,
      run: (network, image, command) => this.#examine(network, image, command),
      onInfo: (info) => {
        this.#users = engineUsers(info, this.#buildUid);
      },
    });
    this.#networks = networks;
    this.python = python;
    this.runtimes = runtimes;
    return probes;
  }

  networks(): readonly NetworkMode[] {
    return this.#networks;
  }

  async create(spec: SandboxSpec): Promise<Sandbox> {
    const { docker, bootTimeoutMs = DEFAULT_BOOT_TIMEOUT_MS } = this.#options;
    const { streamListen, services, addresses } = this.#listens(spec.network);
    const layers = spec.layers.map((layer, index) => ({ source: this.#engineView(layer), target: layerPath(index) }));
    const preload = spec.preload ? layers.map(({ target }) => target) : [];
    const { image, agentFolder, command, ulimits } = bootOf(spec, preload, this.#options, this.runtimes);
    const { container, door, giveBack } = await this.#start({
      id: spec.id,
      image,
      network: spec.network,
      command,
      mounts: [{ source: this.#engineView(agentFolder), target: '/runtime' }, ...layers],
      hosts: Object.fromEntries([streamListen, ...services].map(({ name, host }) => [name, host])),
      tmpBytes: spec.tmpBytes,
      workingFolder: '/tmp',
      environment: {},
      limits: docker.limits,
      ulimits,
    });
    void container.exited.then(() => {
      giveBack();
      for (const address of addresses) this.#addresses.giveBack(address);
    });
    try {
      const channel = await connected(door, container, bootTimeoutMs);
      await door.shut();
      await firstByte({ channel, output: container.output, exited: container.exited, limitMs: bootTimeoutMs });
      setImmediate(() => container.output.release());
      // As child processes' streams: what nobody reads is dropped at the end, or its descriptor would stay open.
      void container.exited.then(() => {
        if (channel.listenerCount('readable') + channel.listenerCount('data') === 0) channel.resume();
      });
      // Without a channel it is of no use to anybody, and its engine may be too far gone to say that it has ended. One that is ending may yet say how.
      channel.on('close', () => {
        const timer = setTimeout(() => container.kill(), LAST_WORDS_MS).unref();
        void container.exited.then(() => clearTimeout(timer));
      });
      return new DockerSandbox({ spec, driver: NAME, engine: this.#engine, container, channel, streamListen, services });
    } catch (error) {
      container.kill();
      await container.exited;
      throw error;
    }
  }

  async build(spec: BuildSpec): Promise<BuildResult> {
    if (spec.signal?.aborted) return NOT_STARTED;
    const { build: uid, buildOwner } = this.#users;
    const { runtime = 'python' } = spec;
    const node = runtime === 'python' ? undefined : requireNode(this.runtimes, runtime);
    const inputFolder = await this.#folder(`inputs-${spec.id}`);
    try {
      await prepareFolders(spec, inputFolder, buildOwner);
      const plan = buildPlan(spec, this.#engineView(spec.outputFolder), this.#engineView(inputFolder), node);
      const { container, door, giveBack } = await this.#start({
        ...plan,
        image: node?.image ?? this.#options.docker.image,
        command: held(plan.command),
        network: spec.network,
        limits: { memoryBytes: this.#options.docker.buildMemoryBytes, cpu: null, processes: this.#options.docker.limits.processes },
        uid,
      });
      container.output.listen((_, chunk) => spec.onOutput(chunk));
      await this.#release(door, container);
      const result = await superviseBuild({ output: container.output, exited: container.exited, kill: () => container.kill() }, spec);
      giveBack();
      if ((await container.exited).oomKills) spec.onOutput(Buffer.from(OUT_OF_MEMORY));
      return result;
    } finally {
      await removeTemporary(spec.outputFolder, inputFolder);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const container of this.#running) container.kill();
    await Promise.all([...this.#running].map(({ exited }) => exited));
    await this.#leftovers.close();
    this.#engine.close();
  }

  /** @throws HearthError; nothing of it is left then */
  async #start(plan: Omit<ContainerPlan, 'runtime' | 'platformId' | 'seccomp' | 'uid' | 'network'> & { network: NetworkMode; uid?: number }) {
    const { docker } = this.#options;
    if (this.#closed) throw new HearthError('draining', 'The sandbox driver is closed.');
    const profile = seccompProfile(process.arch);
    if (profile === undefined) throw new HearthError('sandbox_unavailable', `There is no system call filter for ${process.arch} yet.`);
    await this.#prepare();
    const { shared } = this.#users;
    const uid = plan.uid ?? shared ?? this.#uids.take();
    const giveBack = () => {
      if (plan.uid === undefined && shared === undefined) this.#uids.giveBack(uid);
    };
    let door: ChannelDoor | undefined;
    try {
      if (plan.network === 'egress') await this.#ensureNetwork();
      door = await openChannelDoor(await this.#folder('doors'), {
        passwd: `function:x:${uid}:${uid}:function:/tmp:/nonexistent\n`,
        group: `function:x:${uid}:\n`,
      });
      const folder = this.#engineView(door.folder);
      const settings = containerSettings({
        ...plan,
        uid,
        network: networkName(plan.network, docker.network),
        runtime: docker.runtime,
        platformId: docker.platformId,
        seccomp: JSON.stringify(profile),
        mounts: [
          ...plan.mounts,
          { source: folder, target: CHANNEL_FOLDER },
          { source: join(folder, 'passwd'), target: '/etc/passwd' },
          { source: join(folder, 'group'), target: '/etc/group' },
          ...(this.#options.extraBinds ?? []).map((path) => ({ source: path, target: path })),
        ],
      });
      const container = await Container.start(this.#engine, this.#leftovers, `hearth-${plan.id}`, settings);
      this.#running.add(container);
      void container.exited.then(() => {
        this.#running.delete(container);
        void door?.shut();
      });
      if (this.#closed) container.kill();
      try {
        if (plan.network === 'egress' && !docker.openEgress) await this.#guard.shut(container.view);
      } catch (error) {
        container.kill();
        await container.exited;
        throw error;
      }
      return { container, door, giveBack };
    } catch (error) {
      await door?.shut();
      giveBack();
      throw explainRefusal(error, { ...docker, image: plan.image });
    }
  }

  /** Lets a held command run. @throws HearthError; the container is gone then */
  async #release(door: ChannelDoor, container: Container): Promise<void> {
    try {
      (await connected(door, container, this.#options.bootTimeoutMs ?? DEFAULT_BOOT_TIMEOUT_MS)).destroy();
    } catch (error) {
      container.kill();
      await container.exited;
      throw error;
    }
  }

  /** Once, and again after it failed: what platforms before us left behind. */
  #prepare(): Promise<void> {
    this.#prepared ??= this.#leftovers.sweep(this.#options.docker.platformId).catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  /** IPv6 would lead past the routes that shut the host. */
  async #ensureNetwork(): Promise<void> {
    const { network, platformId, openEgress } = this.#options.docker;
    this.#network ??= this.#engine.ensureNetwork(network, { [PLATFORM_LABEL]: platformId }).finally(() => {
      this.#network = undefined;
    });
    const hasIpv6 = await this.#network;
    if (!hasIpv6 || openEgress) return;
    throw new HearthError(
      'network_unavailable',
      `The network ${network} has IPv6, by which functions would reach the host's own addresses. Make it anew without, name another one by HEARTH_DOCKER_NETWORK, or accept the risk by HEARTH_DOCKER_OPEN_EGRESS=true.`,
    );
  }

  async #folder(name: string): Promise<string> {
    const parent = join(this.#options.docker.dataFolder, DOORS);
    await mkdir(parent, { recursive: true, mode: 0o700 });
    const folder = join(parent, name);
    await mkdir(folder, { recursive: true, mode: 0o755 });
    return folder;
  }

  #engineView(path: string): string {
    return engineView(path, this.#options.docker);
  }

  #listens(network: NetworkMode): Listens {
    const { services } = this.#options;
    if (network === 'host') return this.#addresses.listens(services);
    return { streamListen: PRIVATE_STREAM_LISTEN, services: privateServices(services), addresses: [] };
  }

  /** What a command printed that ran in a container like a sandbox's. @throws HearthError */
  async #examine(network: NetworkMode, image: string, command: readonly string[]): Promise<string> {
    const { docker } = this.#options;
    const { container, door, giveBack } = await this.#start({
      id: `probe-${randomUUID()}`,
      image,
      network,
      command: held(command),
      mounts: [],
      hosts: {},
      tmpBytes: 1024 * 1024,
      workingFolder: '/tmp',
      environment: {},
      limits: docker.limits,
    });
    let said = '';
    container.output.listen((stream, chunk) => {
      if (stream === 'stdout') said += chunk.toString();
    });
    await this.#release(door, container);
    const { code, signal } = await container.exited;
    await container.output.drained;
    giveBack();
    if (code !== 0) throw new HearthError('sandbox_unavailable', container.output.stderrHead || `it ended with ${signal ?? `exit code ${code}`}`);
    return said;
  }
}

/** The command, run once `#release` lets it. */
function held(command: readonly string[]): string[] {
  return ['python3', '-I', '-S', '-B', '-c', HOLD, ...command];
}
