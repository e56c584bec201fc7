import { mkdirSync, readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { HearthError } from '../../errors.ts';
import type { BuildResult, BuildSpec, NetworkMode, Probe, Sandbox, SandboxDriver, SandboxSpec, SandboxStats } from '../driver.ts';
import { firstByte } from '../first-byte.ts';
import { inheritedDescriptors } from '../inherited-descriptors.ts';
import { type Interpreter, inspectInterpreter, unsupportedVersion } from '../interpreter.ts';
import { type Listens, LoopbackAddresses } from '../loopback-addresses.ts';
import { DEFAULT_BOOT_TIMEOUT_MS, type DriverOptions, NETWORK_MODES, PRIVATE_STREAM_LISTEN, privateServices } from '../options.ts';
import { limitProcess, type ProcessLimits } from '../process-limits.ts';
import { treeStats } from '../process-tree.ts';
import { bootArguments, requireRuntime } from '../runtimes.ts';
import { NOT_STARTED, superviseBuild } from '../supervise-build.ts';
import { makePrivateFolder, sweepPrivateFolders } from './private-folders.ts';
import { type ProcessStart, type RunningProcess, startProcess } from './start-process.ts';

const NAME = 'process';

interface Boot {
  executable: string;
  argv: string[];
  environment: Readonly<Record<string, string>>;
  limits?: ProcessLimits;
}

/** Functions as plain processes of the platform's own user: for development, where nothing better works. Isolates nothing. */
export function createProcessDriver(options: DriverOptions): SandboxDriver {
  return new ProcessDriver(options);
}

class ProcessDriver implements SandboxDriver {
  readonly name = NAME;
  readonly warnings: readonly string[];
  readonly #options: DriverOptions;
  readonly #temporaryFolder: string;
  readonly #inherited = inheritedDescriptors();
  readonly #addresses = new LoopbackAddresses();
  readonly #running = new Set<RunningProcess>();
  #interpreter: Promise<Interpreter> | undefined;
  #swept: Promise<void> | undefined;
  #closed = false;

  constructor(options: DriverOptions) {
    const user = process.getuid?.() === 0 ? 'ROOT' : "the platform's own user";
    this.#options = options;
    this.#temporaryFolder = options.temporaryFolder ?? tmpdir();
    this.warnings = [
      `NO ISOLATION: the process driver runs functions as ${user}. They can read and change its files, its processes and the platform itself. Run only code that you would run yourself.`,
      'NO NETWORK ISOLATION: the network modes none and egress are accepted but not enforced; every function has the network of the machine, its loopback included.',
      options.cgroups?.group('sandbox') === undefined
        ? 'NO RESOURCE LIMITS: the size of /tmp is not bounded, and a process that a function detaches with care can outlive its sandbox.'
        : 'NO LIMIT OF FILES: the size of /tmp is not bounded.',
    ];
  }

  async probe(): Promise<Probe[]> {
    this.#interpreter = undefined;
    try {
      const interpreter = await this.#inspect();
      const unsupported = unsupportedVersion(interpreter);
      const { pip } = interpreter;
      return [
        { name: 'python', ok: unsupported === undefined, detail: unsupported ?? `${interpreter.executable} ${interpreter.version.join('.')}` },
        {
          name: 'pip',
          ok: pip !== null,
          detail: pip === null ? 'none: no layers can be built; install pip' : `${pip.version}, ${pip.kind} ${pip.path}`,
        },
        { name: 'isolation', ok: true, detail: 'none: the driver was chosen by name' },
      ];
    } catch (error) {
      return [{ name: 'python', ok: false, detail: error instanceof Error ? error.message : String(error) }];
    }
  }

  networks(): readonly NetworkMode[] {
    return NETWORK_MODES;
  }

  async create(spec: SandboxSpec): Promise<Sandbox> {
    const { executable, argv, environment, limits } = await this.#boot(spec);
    const { streamListen, services, addresses } = await this.#listens();
    const giveBack = () => {
      for (const address of addresses) this.#addresses.giveBack(address);
    };
    let running: RunningProcess;
    let privateFolder: string;
    try {
      privateFolder = await this.#privateFolder();
      running = await this.#start({
        command: [executable, ...argv],
        environment: { PATH: `${dirname(executable)}:${this.#options.path}`, HOME: privateFolder, LANG: 'C.UTF-8', ...environment },
        workingFolder: privateFolder,
        privateFolder,
      });
    } catch (error) {
      giveBack();
      throw error;
    }
    const { channel, output, pid, kill } = running;
    const group = this.#options.cgroups?.group('sandbox');
    const exited = running.exited.then(async (exit) => {
      const oomKills = await group?.end();
      return oomKills ? { ...exit, oomKills } : exit;
    });
    void exited.then(giveBack);
    try {
      // The agent runs no function before Load.
      await Promise.all([group?.join(pid), firstByte({ channel, output, exited, limitMs: this.#options.bootTimeoutMs ?? DEFAULT_BOOT_TIMEOUT_MS })]);
      // It is our child, and not reaped before it has told us of its end: the pid is its own.
      if (limits !== undefined && process.platform === 'linux') await limitProcess({ pid }, limits, this.#options.path);
    } catch (error) {
      kill();
      await exited;
      throw error;
    }
    setImmediate(() => output.release());
    const layerPaths = spec.layers.map((layer) => resolve(layer));
    return {
      id: spec.id,
      driver: NAME,
      channel,
      layerPaths,
      functionFolder: join(privateFolder, 'function'),
      streamListen,
      services,
      preloaded: true,
      exited,
      kill,
      onOutput: (listener) => output.listen(listener),
      stats: () => stats(spec.id, pid),
      limit: async (limits) => group?.limit(limits),
      oomKills: async () => (await group?.oomKills()) ?? 0,
    };
  }

  /** /build and /input don't exist here: where an argument or a variable begins with them, or has them behind a `=`, the host's folders stand in. */
  async build(spec: BuildSpec): Promise<BuildResult> {
    if (spec.signal?.aborted) return NOT_STARTED;
    const interpreter = await this.#inspect();
    const privateFolder = await this.#privateFolder();
    const inputFolder = join(privateFolder, 'input');
    await mkdir(inputFolder);
    for (const [name, content] of Object.entries(spec.inputs)) {
      if (name !== basename(name) || name === '' || name === '.' || name === '..')
        throw new HearthError('sandbox_unavailable', `'${name}' is no file name.`);
      await writeFile(join(inputFolder, name), content);
    }
    mkdirSync(spec.outputFolder, { recursive: true });
    if (readdirSync(spec.outputFolder).length > 0)
      throw new HearthError('sandbox_unavailable', `The build's folder ${spec.outputFolder} is not empty.`);
    const node = spec.runtime === undefined || spec.runtime === 'python' ? undefined : requireRuntime(this.#options.runtimes, spec.runtime);
    const { executable } = node?.files ?? interpreter;
    const hostFolders: Readonly<Record<string, string>> = {
      build: resolve(spec.outputFolder),
      input: inputFolder,
      installer: node?.installer?.folder ?? '/installer',
    };
    const onHost = (text: string) =>
      text.replace(/(^|=)\/(build|input|installer)(?=\/|$)/g, (_, before: string, which: string) => before + (hostFolders[which] ?? ''));
    const [program = '', ...argv] = spec.argv;
    const wheel = interpreter.pip?.kind === 'wheel' ? { PYTHONPATH: interpreter.pip.path } : {};
    const environment = Object.fromEntries(Object.entries({ ...wheel, ...spec.environment }).map(([name, value]) => [name, onHost(value)]));
    const running = await this.#start({
      command: [program === (node ? 'node' : 'python') ? executable : program, ...argv.map(onHost)],
      environment: { PATH: this.#options.path, HOME: privateFolder, LANG: 'C.UTF-8', ...environment },
      workingFolder: resolve(spec.outputFolder),
      privateFolder,
    });
    running.output.listen((_, chunk) => spec.onOutput(chunk));
    return superviseBuild(running, spec);
  }

  /** What runs in it at first. @throws HearthError sandbox_unavailable */
  async #boot(spec: SandboxSpec): Promise<Boot> {
    const { runtime, memoryBytes } = spec;
    if (runtime !== 'python' && spec.supervised) {
      const { files } = requireRuntime(this.#options.runtimes, runtime);
      const boot = await this.#boot({ ...spec, runtime: 'python', supervised: false });
      return { ...boot, environment: { PATH: `${dirname(files.executable)}:${dirname(boot.executable)}:${this.#options.path}` } };
    }
    if (runtime !== 'python') {
      const description = requireRuntime(this.#options.runtimes, runtime);
      const { files, agentFolder, environment, limits } = description;
      return { executable: files.executable, argv: bootArguments(description, resolve(agentFolder), memoryBytes), environment, limits };
    }
    const { agentFolder, agentEntry } = this.#options;
    const { executable } = await this.#inspect();
    return { executable, argv: ['-I', '-S', '-B', resolve(agentFolder, agentEntry)], environment: {} };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { kill } of this.#running) kill();
    await Promise.all([...this.#running].map(({ exited }) => exited));
  }

  async #start(start: Omit<ProcessStart, 'inherited'>): Promise<RunningProcess> {
    const running = await startProcess({ ...start, inherited: this.#inherited });
    this.#running.add(running);
    void running.exited.then(() => this.#running.delete(running));
    if (this.#closed) running.kill();
    return running;
  }

  async #privateFolder(): Promise<string> {
    if (this.#closed) throw new HearthError('draining', 'The sandbox driver is closed.');
    this.#swept ??= sweepPrivateFolders(this.#temporaryFolder);
    await this.#swept;
    return makePrivateFolder(this.#temporaryFolder);
  }

  /** Linux answers on all of 127.0.0.0/8; elsewhere the sandboxes share 127.0.0.1 and differ by port. */
  async #listens(): Promise<Listens> {
    const { services = [] } = this.#options;
    if (process.platform === 'linux') return this.#addresses.listens(services);
    const streamListen = { ...PRIVATE_STREAM_LISTEN, port: await freePort() };
    // A client that is told a port connects to that one: only those that are alone with theirs can be reached.
    return { streamListen, services: privateServices(services).map((listen) => ({ ...listen, host: '127.0.0.1' })), addresses: [] };
  }

  #inspect(): Promise<Interpreter> {
    const { interpreter, python, path } = this.#options;
    this.#interpreter ??= interpreter === undefined ? inspectInterpreter(python, path) : Promise.resolve(interpreter);
    return this.#interpreter;
  }
}

async function stats(id: string, pid: number): Promise<SandboxStats> {
  if (process.platform !== 'linux') throw new HearthError('sandbox_unavailable', 'The memory of processes is counted on Linux only.');
  const found = await treeStats(pid);
  if (found.processes === 0) throw new HearthError('not_found', `Sandbox ${id} has ended.`);
  return found;
}

function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolvePort(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
