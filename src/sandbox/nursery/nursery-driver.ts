import { tmpdir } from 'node:os';
import { HearthError } from '../../errors.ts';
import { type Egress, type EgressTools, hostAddresses, shutDestinations, startEgress } from '../bubblewrap/network.ts';
import { egressTools, findTools } from '../bubblewrap/tools.ts';
import type { CgroupHandle } from '../cgroup/cgroups.ts';
import type { BuildResult, BuildSpec, NetworkMode, Probe, Sandbox, SandboxDriver, SandboxExit, SandboxSpec, StreamListen } from '../driver.ts';
import { firstByte } from '../first-byte.ts';
import { DEFAULT_BOOT_TIMEOUT_MS, type DriverOptions, privateServices } from '../options.ts';
import { OutputRelay } from '../output-relay.ts';
import { startTime } from '../process-tree.ts';
import { NurserySandbox } from './nursery-sandbox.ts';
import { closingMessages } from './route-messages.ts';
import type { Newborn, Zygote } from './zygote.ts';
import { Zygotes } from './zygotes.ts';

const NAME = 'nursery';

export interface NurseryOptions extends DriverOptions {
  /** Folder on the host that holds the zygote's code, runtimes/python/zygote. */
  zygoteFolder: string;
  /** First of the user ids that zygotes, with their sandboxes, run under when the platform is root. Default: ten millions above `uidBase`. */
  zygoteUidBase?: number;
  /** Layer sets with a zygote at the same time. Default 8. */
  maxZygotes?: number;
  /** Milliseconds after which a zygote without sandboxes goes. Default 30 minutes. */
  zygoteIdleMs?: number;
}

export interface Nursery extends SandboxDriver {
  /** Starts the zygote of a layer set, if there is none; resolves with whether sandboxes are forked from it now. Never rejects. */
  warm(layers: readonly string[]): Promise<boolean>;
  /** Sandboxes that were asked for so far, and how they were made. */
  readonly counts: { readonly forks: number; readonly fallbacks: number };
}

/**
 * Sandboxes forked from processes that have their interpreter and libraries in memory already; see docs/adr/0006-nursery.md. What it
 * can't make (network mode host; anything, while a zygote is on its way or where the kernel forbids it) comes from `bubblewrap`, which
 * it owns from here on. Touches nothing until it is used.
 */
export function createNursery(options: NurseryOptions, bubblewrap: SandboxDriver): Nursery {
  return new NurseryDriver(options, bubblewrap);
}

class NurseryDriver implements Nursery {
  readonly name = NAME;
  readonly warnings: readonly string[];
  readonly counts = { forks: 0, fallbacks: 0 };
  readonly #options: NurseryOptions;
  readonly #bubblewrap: SandboxDriver;
  readonly #zygotes: Zygotes;
  readonly #services: readonly StreamListen[];
  readonly #isRoot = process.getuid?.() === 0;

  constructor(options: NurseryOptions, bubblewrap: SandboxDriver) {
    this.#options = options;
    this.#bubblewrap = bubblewrap;
    this.#services = privateServices(options.services);
    this.warnings = bubblewrap.warnings;
    this.#zygotes = new Zygotes({ ...options, temporaryFolder: options.temporaryFolder ?? tmpdir() });
  }

  /** bubblewrap's checks, and one of ours, which is never a failure: without a nursery, sandboxes only take longer to start. */
  async probe(): Promise<Probe[]> {
    const probes = await this.#bubblewrap.probe();
    if (probes.some(({ name, ok }) => name === 'sandbox' && !ok)) return [...probes, unused('not tried: see the failed checks above')];
    try {
      const { imported } = await this.#zygotes.ready([]);
      return [...probes, { name: NAME, ok: true, detail: `sandboxes are forked from a zygote${imported.length > 0 ? ` with ${imported}` : ''}` }];
    } catch (error) {
      return [...probes, unused(messageOf(error))];
    }
  }

  networks(): readonly NetworkMode[] {
    return this.#bubblewrap.networks();
  }

  async warm(layers: readonly string[]): Promise<boolean> {
    return this.#zygotes.ready(layers).then(
      () => true,
      () => false,
    );
  }

  async create(spec: SandboxSpec): Promise<Sandbox> {
    // Zygotes are of Python only.
    if (spec.runtime !== 'python') return this.#bubblewrap.create(spec);
    if (spec.network === 'host') return this.#fallBack(spec);
    const zygote = this.#zygotes.take(spec.layers);
    const tools = spec.network === 'egress' && zygote !== undefined ? await this.#egressTools() : undefined;
    // Where egress can't be had, bubblewrap says so.
    if (zygote === undefined || typeof tools === 'string') return this.#fallBack(spec);
    try {
      const sandbox = await this.#fork(spec, zygote, tools);
      this.counts.forks++;
      return sandbox;
    } catch (error) {
      this.#options.log.warn({ sandbox: spec.id, error: messageOf(error) }, 'A sandbox could not be forked; bubblewrap starts one instead');
      return this.#fallBack(spec);
    }
  }

  #fallBack(spec: SandboxSpec): Promise<Sandbox> {
    this.counts.fallbacks++;
    return this.#bubblewrap.create(spec);
  }

  build(spec: BuildSpec): Promise<BuildResult> {
    return this.#bubblewrap.build(spec);
  }

  async close(): Promise<void> {
    await Promise.all([this.#zygotes.close(), this.#bubblewrap.close()]);
  }

  /** @throws HearthError; then nothing of it is left */
  async #fork(spec: SandboxSpec, zygote: Zygote, egress: EgressTools | undefined): Promise<Sandbox> {
    const limitMs = this.#options.bootTimeoutMs ?? DEFAULT_BOOT_TIMEOUT_MS;
    const routes = egress === undefined ? Buffer.alloc(0) : closingMessages(shutDestinations(hostAddresses()));
    const newborn = await zygote.fork(spec.tmpBytes, routes, limitMs);
    const { channel, stdout, stderr } = newborn.connections;
    const output = new OutputRelay(stdout, stderr);
    const network = egress === undefined ? Promise.resolve(undefined) : this.#connect(newborn, zygote, egress);
    const group = this.#options.cgroups?.group('sandbox');
    // No function's code runs before it is in: that comes with Load, once this has resolved.
    const joined = group === undefined ? Promise.resolve() : join(group, newborn, zygote);
    const exited = end(newborn, network, joined, group);
    try {
      await Promise.all([network, joined, firstByte({ channel, output, exited, limitMs })]);
    } catch (error) {
      newborn.kill();
      await exited;
      channel.destroy();
      throw error;
    }
    setImmediate(() => output.release());
    // As child processes' streams: what nobody reads is dropped at the end, or its descriptor would stay open.
    void exited.then(() => {
      if (channel.listenerCount('readable') + channel.listenerCount('data') === 0) channel.resume();
    });
    return new NurserySandbox({ spec, driver: NAME, zygote, newborn, output, services: this.#services, exited, group });
  }

  /** Or why there are none. */
  async #egressTools(): Promise<EgressTools | string> {
    const interpreter = await this.#zygotes.interpreter();
    return egressTools(findTools(this.#options.path), this.#isRoot, interpreter.executable);
  }

  async #connect(newborn: Newborn, zygote: Zygote, tools: EgressTools): Promise<Egress> {
    const pid = await zygote.hostPid(newborn.pid);
    if (pid === undefined || newborn.networkNamespace === undefined) throw new HearthError('network_unavailable', 'The sandbox is gone.');
    const init = { pid, startTime: (await startTime(pid)) ?? '', networkNamespace: newborn.networkNamespace };
    return startEgress(tools, init, zygote.uid, 'closed');
  }
}

/** Each of sandbox and network dies with the other. */
async function end(
  newborn: Newborn,
  network: Promise<Egress | undefined>,
  joined: Promise<void>,
  group: CgroupHandle | undefined,
): Promise<SandboxExit> {
  const egress = network.catch(() => undefined);
  void egress.then(async (found) => {
    if (found === undefined) return;
    await found.exited;
    newborn.kill();
  });
  const exit = await newborn.exited;
  const found = await egress;
  found?.stop();
  await found?.exited;
  await joined.catch(() => undefined);
  const oomKills = await group?.end();
  return oomKills ? { ...exit, oomKills } : exit;
}

/** Out of the zygote's group, in which it was born, into its own. @throws HearthError sandbox_unavailable */
async function join(group: CgroupHandle, newborn: Newborn, zygote: Zygote): Promise<void> {
  const pid = await zygote.hostPid(newborn.pid);
  if (pid === undefined) throw new HearthError('sandbox_unavailable', 'The sandbox is gone.');
  await group.join(pid);
}

function unused(why: string): Probe {
  return { name: NAME, ok: true, detail: `can not be used, so sandboxes are started by bubblewrap, which takes longer: ${why}` };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
