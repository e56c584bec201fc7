import type { Duplex, Readable } from 'node:stream';
import { EngineClient, EngineRefusal } from './engine-client.ts';

/** An engine that says nothing for so long has hung: what runs on it is ended without it. Milliseconds. */
const KILL_SILENCE_MS = 10_000;

/** Of `POST /containers/create`, what we say. */
export interface ContainerSettings {
  Image: string;
  Entrypoint: string[];
  Cmd: string[];
  User: string;
  Env: string[];
  WorkingDir: string;
  Hostname: string;
  Labels: Record<string, string>;
  AttachStdout: boolean;
  AttachStderr: boolean;
  Healthcheck: { Test: string[] };
  NetworkDisabled?: boolean;
  HostConfig: HostConfig;
}

interface HostConfig {
  Binds: string[];
  Tmpfs: Record<string, string>;
  NetworkMode: string;
  ExtraHosts: string[];
  ReadonlyRootfs: boolean;
  CapDrop: string[];
  SecurityOpt: string[];
  Memory: number;
  MemorySwap: number;
  CpuPeriod?: number;
  CpuQuota?: number;
  PidsLimit: number;
  Ulimits: { Name: string; Soft: number; Hard: number }[];
  ShmSize: number;
  Init: boolean;
  IpcMode: string;
  CgroupnsMode: string;
  MaskedPaths: string[];
  ReadonlyPaths: string[];
  LogConfig: { Type: string };
  OomScoreAdj?: number;
  Runtime?: string;
  AutoRemove: boolean;
}

export type LimitUpdate = Partial<Pick<HostConfig, 'Memory' | 'MemorySwap' | 'CpuPeriod' | 'CpuQuota'>>;

export interface ContainerState {
  Running: boolean;
  OOMKilled: boolean;
  Pid: number;
  ExitCode: number;
  Error: string;
}

export interface EngineInfo {
  ServerVersion: string;
  OperatingSystem: string;
  CgroupVersion?: string;
  MemoryLimit: boolean;
  SwapLimit: boolean;
  PidsLimit: boolean;
  CpuCfsQuota: boolean;
  Runtimes: Record<string, unknown>;
  DefaultRuntime: string;
  SecurityOptions: string[];
  DockerRootDir: string;
  InitBinary?: string;
}

interface EngineStats {
  memory_stats?: { usage?: number; stats?: Record<string, number> };
  pids_stats?: { current?: number };
}

/** Labels by which we know our own. */
export const PLATFORM_LABEL = 'hearth.platform';
export const SANDBOX_LABEL = 'hearth.sandbox';
/** Of images that we have built: their name. */
export const IMAGE_LABEL = 'hearth.image';

/** The endpoints that we use. Everything throws EngineRefusal, or HearthError sandbox_unavailable when the engine is gone. */
export class Engine {
  readonly client: EngineClient;

  constructor(socketPath: string) {
    this.client = new EngineClient(socketPath);
  }

  info(): Promise<EngineInfo> {
    return this.client.json({ method: 'GET', path: '/info' });
  }

  async create(name: string, settings: ContainerSettings): Promise<string> {
    const { Id } = await this.client.json<{ Id: string }>({ method: 'POST', path: '/containers/create', query: { name }, body: settings });
    return Id;
  }

  start(id: string): Promise<void> {
    return this.client.json({ method: 'POST', path: `/containers/${id}/start` });
  }

  async state(id: string): Promise<ContainerState> {
    return (await this.client.json<{ State: ContainerState }>({ method: 'GET', path: `/containers/${id}/json` })).State;
  }

  /** Resolves with the exit code once it doesn't run, at once when it doesn't. */
  async wait(id: string): Promise<number> {
    return (await this.client.json<{ StatusCode: number }>({ method: 'POST', path: `/containers/${id}/wait`, silenceMs: 0 })).StatusCode;
  }

  /** Standard output and error together, as frames: see demultiplex. */
  attach(id: string): Promise<Duplex> {
    return this.client.hijack({ method: 'POST', path: `/containers/${id}/attach`, query: { stream: '1', stdout: '1', stderr: '1' } });
  }

  /** SIGKILL to all of it; nothing when it doesn't run. */
  async kill(id: string): Promise<void> {
    await this.client.json({ method: 'POST', path: `/containers/${id}/kill`, silenceMs: KILL_SILENCE_MS }).catch((error: unknown) => {
      if (!(error instanceof EngineRefusal && (error.status === 409 || error.status === 404))) throw error;
    });
  }

  update(id: string, limits: LimitUpdate): Promise<void> {
    return this.client.json({ method: 'POST', path: `/containers/${id}/update`, body: limits });
  }

  stats(id: string): Promise<EngineStats> {
    return this.client.json({ method: 'GET', path: `/containers/${id}/stats`, query: { stream: 'false', 'one-shot': 'true' } });
  }

  /** Kills and removes it with its anonymous volumes; resolves when it is gone, also when it was before. */
  async remove(id: string): Promise<void> {
    try {
      await this.client.json({ method: 'DELETE', path: `/containers/${id}`, query: { force: 'true', v: 'true' } });
    } catch (error) {
      if (!(error instanceof EngineRefusal)) throw error;
      if (error.status === 404) return;
      // Somebody else is at it. Other conflicts (an engine that can't kill what it has just found again) are no promise that it will go.
      if (error.status !== 409 || !/already in progress/.test(error.message)) throw error;
      await this.client.json({ method: 'POST', path: `/containers/${id}/wait`, query: { condition: 'removed' } }).catch(ignoreMissing);
    }
  }

  /** Ids of all containers with that label, running or not. */
  async containersLabelled(label: string): Promise<string[]> {
    const query = { all: 'true', filters: JSON.stringify({ label: [label] }) };
    return (await this.client.json<{ Id: string }[]>({ method: 'GET', path: '/containers/json', query })).map(({ Id }) => Id);
  }

  /** Of an image, or undefined when the engine has none of that name. */
  async image(name: string): Promise<{ Id: string } | undefined> {
    return this.client.json<{ Id: string }>({ method: 'GET', path: `/images/${encodeURIComponent(name)}/json` }).catch(ignoreMissing);
  }

  /** Makes the network when it is missing. @returns whether IPv6 is on it */
  async ensureNetwork(name: string, labels: Record<string, string>): Promise<boolean> {
    const found = await this.client
      .json<{ EnableIPv6?: boolean }>({ method: 'GET', path: `/networks/${encodeURIComponent(name)}` })
      .catch(ignoreMissing);
    if (found !== undefined) return found.EnableIPv6 === true;
    const body = { Name: name, Driver: 'bridge', CheckDuplicate: true, Labels: labels };
    const made = await this.client.json<{ Id: string }>({ method: 'POST', path: '/networks/create', body }).catch((error: unknown) => {
      // Somebody was faster.
      if (error instanceof EngineRefusal && error.status === 409) return undefined;
      throw error;
    });
    if (made !== undefined) await this.#yieldNetwork(name, made.Id);
    return false;
  }

  /** Engines don't keep two from making a network of one name at the same time, and then neither is of use: the younger one goes. */
  async #yieldNetwork(name: string, id: string): Promise<void> {
    const query = { filters: JSON.stringify({ name: [name] }) };
    const all = await this.client.json<{ Id: string; Name: string; Created: string }[]>({ method: 'GET', path: '/networks', query });
    const age = ({ Created, Id }: { Created: string; Id: string }) => `${Created} ${Id}`;
    const [oldest] = all.filter(({ Name }) => Name === name).sort((one, other) => (age(one) < age(other) ? -1 : 1));
    if (oldest !== undefined && oldest.Id !== id) await this.client.json({ method: 'DELETE', path: `/networks/${id}` });
  }

  /** Lines of JSON that tell how it goes: see buildImage. */
  buildImage(context: Buffer, query: Record<string, string>): Promise<Readable> {
    return this.client.stream({ method: 'POST', path: '/build', query, body: context, silenceMs: 15 * 60_000 });
  }

  close(): void {
    this.client.close();
  }
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof EngineRefusal && error.status === 404) return undefined;
  throw error;
}
