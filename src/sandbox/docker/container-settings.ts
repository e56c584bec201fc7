import type { NetworkMode, SandboxLimits } from '../driver.ts';
import { FUNCTION_FOLDER } from '../options.ts';
import type { ProcessLimits } from '../process-limits.ts';
import { type ContainerSettings, type LimitUpdate, PLATFORM_LABEL, SANDBOX_LABEL } from './engine.ts';

const MIB = 1024 * 1024;
/** Microseconds of the period that quotas of CPU time are counted in. */
const CPU_PERIOD_US = 100_000;

/** Where the folder with the channel's socket appears. */
export const CHANNEL_FOLDER = '/run/hearth';

/** Docker's own list (moby/oci/defaults.go), and what else any user may read of the machine or write beside /tmp. */
const MASKED_PATHS = [
  ...['/proc/asound', '/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug'],
  ...['/proc/scsi', '/proc/interrupts', '/proc/kallsyms', '/proc/key-users', '/proc/softirqs', '/proc/kmsg', '/proc/slabinfo'],
  ...['/sys', '/dev/mqueue', '/dev/pts'],
];

export interface Mount {
  /** As the engine sees it. */
  source: string;
  target: string;
  writable?: boolean;
}

export interface ContainerPlan {
  id: string;
  image: string;
  command: readonly string[];
  environment: Readonly<Record<string, string>>;
  workingFolder: string;
  uid: number;
  mounts: readonly Mount[];
  tmpBytes: number;
  /** Name of the engine's network. */
  network: string;
  /** Name → address. */
  hosts: Readonly<Record<string, string>>;
  limits: SandboxLimits & { processes: number };
  /** Of each process, where it can't set them on itself. Processes are counted by the container's cgroup: users may be shared. */
  ulimits?: Pick<ProcessLimits, 'openFiles' | 'fileBytes'> | undefined;
  runtime: string;
  platformId: string;
  /** JSON of a seccomp profile. */
  seccomp: string;
}

/** Everything about a container that the engine must know. No container of ours gets more than this. */
export function containerSettings(plan: ContainerPlan): ContainerSettings {
  const { limits } = plan;
  return {
    Image: plan.image,
    Entrypoint: [...plan.command],
    Cmd: [],
    User: `${plan.uid}:${plan.uid}`,
    Env: Object.entries(plan.environment).map(([name, value]) => `${name}=${value}`),
    WorkingDir: plan.workingFolder,
    Hostname: 'fn',
    Labels: { [PLATFORM_LABEL]: plan.platformId, [SANDBOX_LABEL]: plan.id },
    AttachStdout: true,
    AttachStderr: true,
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      Binds: plan.mounts.map(({ source, target, writable }) => `${source}:${target}:${writable ? 'rw' : 'ro'}`),
      // Docker itself would add noexec; nosuid and nodev it adds as well.
      Tmpfs: Object.fromEntries(['/tmp', FUNCTION_FOLDER].map((folder) => [folder, `rw,exec,nosuid,nodev,mode=1777,size=${plan.tmpBytes}`])),
      NetworkMode: plan.network,
      ExtraHosts: Object.entries(plan.hosts).map(([name, address]) => `${name}:${address}`),
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true', `seccomp=${plan.seccomp}`],
      ...(memoryLimit(limits.memoryBytes) as { Memory: number; MemorySwap: number }),
      ...cpuLimit(limits.cpu),
      // The first process, which reaps, is none of the function's.
      PidsLimit: limits.processes + 1,
      Ulimits: [ulimit('core', 0), ...(plan.ulimits ? [ulimit('nofile', plan.ulimits.openFiles), ulimit('fsize', plan.ulimits.fileBytes)] : [])],
      ShmSize: 16 * MIB,
      Init: true,
      IpcMode: 'private',
      CgroupnsMode: 'private',
      MaskedPaths: MASKED_PATHS,
      ReadonlyPaths: ['/proc'],
      LogConfig: { Type: 'none' },
      AutoRemove: false,
      ...(plan.runtime === '' ? {} : { Runtime: plan.runtime }),
    },
  };
}

/** Of `POST /containers/{id}/update`; a member that is left out stays. */
export function limitUpdate({ memoryBytes, cpu }: Partial<SandboxLimits>): LimitUpdate {
  return { ...(memoryBytes === undefined ? {} : memoryLimit(memoryBytes)), ...(cpu === undefined ? {} : cpuLimit(cpu)) };
}

function ulimit(name: string, most: number): ContainerSettings['HostConfig']['Ulimits'][number] {
  return { Name: name, Soft: most, Hard: most };
}

/** No swap. */
function memoryLimit(bytes: number): LimitUpdate {
  return { Memory: bytes, MemorySwap: bytes };
}

function cpuLimit(cpu: number | null): LimitUpdate {
  return { CpuPeriod: CPU_PERIOD_US, CpuQuota: cpu === null ? -1 : Math.max(1000, Math.round(cpu * CPU_PERIOD_US)) };
}

/** What the engine calls a mode. @param egress name of the network of mode egress */
export function networkName(mode: NetworkMode, egress: string): string {
  return mode === 'egress' ? egress : mode;
}
