import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { HearthError } from '../../errors.ts';
import type { CgroupHandle } from '../cgroup/cgroups.ts';
import type { GroupKind } from '../cgroup/group-keeper.ts';
import type { BuildResult, BuildSpec, NetworkMode, Probe, Sandbox, SandboxDriver, SandboxExit, SandboxSpec, StreamListen } from '../driver.ts';
import { firstByte } from '../first-byte.ts';
import { inheritedDescriptors } from '../inherited-descriptors.ts';
import { type Interpreter, inspectInterpreter } from '../interpreter.ts';
import { type Listens, LoopbackAddresses } from '../loopback-addresses.ts';
import { DEFAULT_BOOT_TIMEOUT_MS, DEFAULT_UID_BASE, type DriverOptions, PRIVATE_STREAM_LISTEN, privateServices } from '../options.ts';
import { limitProcess, type ProcessLimits } from '../process-limits.ts';
import { bootArguments, type InterpreterFiles, programPath, requireRuntime } from '../runtimes.ts';
import { NOT_STARTED, superviseBuild } from '../supervise-build.ts';
import { BubblewrapSandbox, layerPath } from './bubblewrap-sandbox.ts';
import { buildPlan, nodeBuilder, prepareOutputFolder, pythonBuilder, removeTemporary } from './build.ts';
import { type Launch, type Launcher, launch } from './launch.ts';
import { type Egress, type EgressTools, nameFiles, startEgress } from './network.ts';
import type { Plan } from './plan.ts';
import { probeMachine } from './probe.ts';
import { closingSteps, etcSteps, interpreterSteps, readOnly } from './root-filesystem.ts';
import { seccompProgram } from './seccomp.ts';
import { selfExamination } from './self-examination.ts';
import { egressTools, findTools, stageTools, type Tools } from './tools.ts';
import { UidAllocator } from './uid-allocator.ts';

const NAME = 'bubblewrap';
/** What a build that was killed has no chance to print. */
const OUT_OF_MEMORY = '\nThe build needed more memory than it may use (limits.max_memory_per_instance_bytes), and was killed.\n';

interface Start {
  /** Python's, which the network's helper needs. */
  interpreter: Interpreter;
  plan: () => Plan;
  uid: number | undefined;
  /** Called once nothing of it is left. */
  giveBack: () => void;
  kind: GroupKind;
  /** Of its processes; left out where they set them on themselves, and for builds. */
  limits?: ProcessLimits | undefined;
  onOutput?: (chunk: Buffer) => void;
}

interface Boot {
  files: InterpreterFiles;
  agentFolder: string;
  argv: readonly string[];
  environment: Readonly<Record<string, string>>;
  /** Of another runtime, whose programs run in it. */
  alsoFiles?: InterpreterFiles;
}

/** Sandboxes out of Linux namespaces and a system call filter. See docs/sandbox.md. Touches nothing until it is used. */
export function createBubblewrapDriver(options: DriverOptions): SandboxDriver {
  return new BubblewrapDriver(options);
}

class BubblewrapDriver implements SandboxDriver {
  readonly name = NAME;
  readonly warnings: readonly string[] = [
    "Functions with network mode host have the machine's whole network, its loopback and abstract sockets included.",
  ];
  readonly #options: DriverOptions;
  readonly #temporaryFolder: string;
  readonly #isRoot: boolean;
  readonly #uids: UidAllocator;
  readonly #buildUid: number;
  readonly #inherited = inheritedDescriptors();
  readonly #addresses = new LoopbackAddresses();
  /** Everything that runs, until it is gone. */
  readonly #running = new Map<Launch, Promise<unknown>>();
  #tools: Tools;
  #interpreter: Promise<Interpreter> | undefined;
  #networks: readonly NetworkMode[] = [];
  #closed = false;

  constructor(options: DriverOptions) {
    const uidBase = options.uidBase ?? DEFAULT_UID_BASE;
    this.#options = options;
    this.#temporaryFolder = options.temporaryFolder ?? tmpdir();
    this.#isRoot = process.getuid?.() === 0;
    this.#uids = new UidAllocator(uidBase);
    this.#buildUid = uidBase - 1;
    this.#tools = findTools(options.path);
  }

  async probe(): Promise<Probe[]> {
    this.#tools = findTools(this.#options.path);
    this.#interpreter = undefined;
    const { probes, networks } = await probeMachine({
      tools: this.#tools,
      isRoot: this.#isRoot,
      interpreter: () => this.#inspect(),
      tryNetwork: (network) => this.#tryNetwork(network),
      agent: join(this.#options.agentFolder, this.#options.agentEntry),
    });
    this.#networks = networks;
    return probes;
  }

  networks(): readonly NetworkMode[] {
    return this.#networks;
  }

  async create(spec: SandboxSpec): Promise<Sandbox> {
    const interpreter = await this.#inspect();
    const { limits } = spec.runtime === 'python' || spec.supervised ? {} : requireRuntime(this.#options.runtimes, spec.runtime);
    const { streamListen, services, addresses } = this.#listens(spec.network);
    const uid = this.#isRoot ? this.#uids.take() : undefined;
    const giveBack = () => {
      if (uid !== undefined) this.#uids.giveBack(uid);
      for (const address of addresses) this.#addresses.giveBack(address);
    };
    const plan = () => this.#sandboxPlan(spec, interpreter, [streamListen, ...services]);
    const { running, init, exited, group } = await this.#start({ interpreter, plan, uid, giveBack, kind: 'sandbox', limits });
    try {
      await firstByte({ ...running, exited, limitMs: this.#options.bootTimeoutMs ?? DEFAULT_BOOT_TIMEOUT_MS });
    } catch (error) {
      running.kill();
      await exited;
      throw error;
    }
    setImmediate(() => running.output.release());
    return new BubblewrapSandbox({ spec, driver: NAME, launch: running, init, streamListen, services, exited, group });
  }

  async build(spec: BuildSpec): Promise<BuildResult> {
    if (spec.signal?.aborted) return NOT_STARTED;
    const interpreter = await this.#inspect();
    const { runtime = 'python' } = spec;
    const builder = runtime === 'python' ? pythonBuilder(interpreter) : nodeBuilder(requireRuntime(this.#options.runtimes, runtime));
    const uid = this.#isRoot ? this.#buildUid : undefined;
    prepareOutputFolder(spec.outputFolder, uid);
    const plan = () => buildPlan({ ...spec, outputFolder: realpathSync(spec.outputFolder) }, builder, this.#options.extraBinds ?? []);
    const { running, exited } = await this.#start({ interpreter, plan, uid, giveBack: () => undefined, kind: 'build', onOutput: spec.onOutput });
    const result = await superviseBuild({ ...running, exited }, spec);
    if ((await exited).oomKills) spec.onOutput(Buffer.from(OUT_OF_MEMORY));
    await removeTemporary(spec.outputFolder);
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const running of this.#running.keys()) running.kill();
    await Promise.allSettled(this.#running.values());
  }

  /**
   * Starts bwrap, then the network, while it joins its cgroup and gets its limits; the command runs once all of it is there. Whatever fails, what was
   * started is ended and `giveBack` called before this rejects.
   */
  async #start({ interpreter, plan, uid, giveBack, kind, limits, onOutput }: Start) {
    let running: Launch;
    const group = this.#options.cgroups?.group(kind);
    let egressWith: EgressTools | undefined;
    try {
      if (this.#closed) throw new HearthError('draining', 'The sandbox driver is closed.');
      const made = plan();
      egressWith = made.network === 'egress' ? this.#egressTools(interpreter) : undefined;
      running = launch(
        this.#launcher(),
        made,
        uid,
        [egressWith, group, limits].some((wanted) => wanted !== undefined),
      );
    } catch (error) {
      giveBack();
      if (error instanceof HearthError) throw error;
      throw new HearthError('sandbox_unavailable', `The sandbox could not be prepared: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
    if (onOutput !== undefined) running.output.listen((_, chunk) => onOutput(chunk));
    const network = egressWith === undefined ? Promise.resolve(undefined) : running.init.then((init) => startEgress(egressWith, init, uid));
    // It is held, so that the pid stays its own.
    const joined = running.init.then(({ pid }) => Promise.all([group?.join(pid), limits && limitProcess({ pid, uid }, limits, this.#options.path)]));
    joined.catch(() => undefined);
    const exited = this.#end(running, network, joined, group, giveBack);
    this.#running.set(running, exited);
    void exited.then(() => this.#running.delete(running));
    try {
      const init = await running.init;
      await Promise.all([network, joined]);
      running.release();
      return { running, init, exited, group };
    } catch (error) {
      running.kill();
      await exited;
      throw error;
    }
  }

  /** Each of sandbox and network dies with the other. */
  async #end(
    running: Launch,
    network: Promise<Egress | undefined>,
    joined: Promise<unknown>,
    group: CgroupHandle | undefined,
    giveBack: () => void,
  ): Promise<SandboxExit> {
    const egress = network.catch(() => undefined);
    let ended = false;
    void egress.then(async (found) => {
      if (found === undefined) return;
      await found.exited;
      if (ended) return;
      this.#options.log.warn({ driver: NAME }, 'A sandbox lost its way to the outside world (slirp4netns ended) and is killed.');
      running.kill();
    });
    const exit = await running.ended;
    ended = true;
    const found = await egress;
    found?.stop();
    await found?.exited;
    await joined.catch(() => undefined);
    const oomKills = await group?.end();
    giveBack();
    return oomKills ? { ...exit, oomKills } : exit;
  }

  #sandboxPlan(spec: SandboxSpec, python: Interpreter, names: readonly StreamListen[]): Plan {
    const { extraBinds = [] } = this.#options;
    const { files, agentFolder, argv, environment, alsoFiles } = this.#boot(spec, python);
    return {
      network: spec.network,
      workingFolder: '/tmp',
      command: [programPath(files), ...argv],
      environment: { PATH: dirname(programPath(files)), HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8', ...environment },
      steps: [
        ...interpreterSteps(files, extraBinds, alsoFiles),
        ...etcSteps(nameFiles(spec.network, names)),
        readOnly(realpathSync(agentFolder), '/runtime'),
        ...spec.layers.map((layer, index) => readOnly(realpathSync(layer), layerPath(index))),
        ...closingSteps(spec.tmpBytes),
      ],
    };
  }

  /** What runs in it at first. @throws HearthError sandbox_unavailable */
  #boot(spec: SandboxSpec, python: Interpreter): Boot {
    if (spec.runtime !== 'python' && spec.supervised) {
      const { files } = requireRuntime(this.#options.runtimes, spec.runtime);
      const path = `${dirname(programPath(files))}:${dirname(python.executable)}`;
      return { ...this.#boot({ ...spec, runtime: 'python', supervised: false }, python), alsoFiles: files, environment: { PATH: path } };
    }
    if (spec.runtime !== 'python') {
      const description = requireRuntime(this.#options.runtimes, spec.runtime);
      const { files, agentFolder, environment } = description;
      return { files, agentFolder, argv: bootArguments(description, '/runtime', spec.memoryBytes), environment };
    }
    const { agentFolder, agentEntry } = this.#options;
    const preloaded = spec.preload ? spec.layers.map((_, index) => layerPath(index)) : [];
    return { files: python, agentFolder, argv: ['-I', '-S', '-B', `/runtime/${agentEntry}`, ...preloaded], environment: {} };
  }

  #listens(network: NetworkMode): Listens {
    const { services } = this.#options;
    if (network === 'host') return this.#addresses.listens(services);
    return { streamListen: PRIVATE_STREAM_LISTEN, services: privateServices(services), addresses: [] };
  }

  #inspect(): Promise<Interpreter> {
    const { interpreter, python, path } = this.#options;
    this.#interpreter ??= interpreter === undefined ? inspectInterpreter(python, path) : Promise.resolve(interpreter);
    return this.#interpreter;
  }

  #launcher(): Launcher {
    const { bwrap } = this.#tools;
    const seccomp = seccompProgram(process.arch);
    if (bwrap === undefined) throw new HearthError('sandbox_unavailable', 'bwrap is not on PATH; install the package bubblewrap.');
    if (seccomp === undefined) throw new HearthError('sandbox_unavailable', `There is no system call filter for ${process.arch} yet.`);
    return { bwrap, seccomp, stageTools: stageTools(this.#tools), temporaryFolder: this.#temporaryFolder, inherited: this.#inherited };
  }

  #egressTools(interpreter: Interpreter): EgressTools {
    const found = egressTools(this.#tools, this.#isRoot, interpreter.executable);
    if (typeof found === 'string') throw new HearthError('network_unavailable', `Network mode egress can not be had here: ${found}.`);
    return found;
  }

  /** A real sandbox around an interpreter that examines it; what it said. @throws HearthError */
  async #tryNetwork(network: NetworkMode): Promise<string> {
    const interpreter = await this.#inspect();
    const uid = this.#isRoot ? this.#uids.take() : undefined;
    const plan = (): Plan => ({
      network,
      workingFolder: '/tmp',
      command: [interpreter.executable, '-I', '-S', '-B', '-c', selfExamination(process.arch)],
      environment: {},
      steps: [
        ...interpreterSteps(interpreter, this.#options.extraBinds ?? []),
        ...etcSteps(nameFiles(network, [PRIVATE_STREAM_LISTEN])),
        ...closingSteps(1024 * 1024),
      ],
    });
    const giveBack = () => {
      if (uid !== undefined) this.#uids.giveBack(uid);
    };
    const { running, exited } = await this.#start({ interpreter, plan, uid, giveBack, kind: 'sandbox' });
    let said = '';
    running.output.listen((stream, chunk) => {
      if (stream === 'stdout') said += chunk.toString();
    });
    const { code, signal } = await exited;
    await running.output.drained;
    if (code !== 0) throw new HearthError('sandbox_unavailable', running.output.stderrHead || `it ended with ${signal ?? `exit code ${code}`}`);
    return said;
  }
}
