import type { Config } from '../config.ts';
import { HearthError } from '../errors.ts';
import { type Cgroups, openCgroups } from '../sandbox/cgroup/cgroups.ts';
import { limitProbes } from '../sandbox/cgroup/report.ts';
import type { Logger } from '../telemetry/log.ts';

/** Sandboxes that were just forked are counted too, until they are in a cgroup of their own. */
const ZYGOTE_PROCESSES = 4096;
/** Made ahead of the sandboxes. */
const SPARE_GROUPS = 8;

/** Null: switched off. @param stateFile null: nothing is left over from a start before */
export async function openLimits(config: Config, prefix: string, stateFile: string | null, log: Logger): Promise<Cgroups | null> {
  if (config.sandbox.limits === 'off' || process.platform !== 'linux') return null;
  const { limits } = config;
  // The namespace's first process is none of the function's.
  const processes = limits.processes + 1;
  return openCgroups({
    settings: {
      prefix,
      limits: {
        sandbox: { memoryBytes: limits.memory_per_instance_bytes, cpu: limits.cpu === 0 ? null : limits.cpu, processes },
        // What sandboxes take at their birth (about 1 MiB each) stays charged to their zygote.
        zygote: { memoryBytes: Math.max(limits.memory_bytes, limits.max_memory_per_instance_bytes), cpu: null, processes: ZYGOTE_PROCESSES },
        build: { memoryBytes: limits.max_memory_per_instance_bytes, cpu: null, processes },
      },
      // Nobody would remove the doctor's, if it were killed.
      spares: stateFile === null ? 0 : SPARE_GROUPS,
    },
    parent: config.sandbox.cgroup_parent,
    stateFile,
    log,
  });
}

/** Once at the start. @throws HearthError sandbox_unavailable when the operator requires more than there is */
export function tellLimits(config: Config, cgroups: Cgroups | null, log: Logger): void {
  const probes = limitProbes(cgroups?.found ?? null);
  const failed = probes.filter(({ ok }) => !ok);
  if (config.sandbox.limits === 'require' && failed.length > 0) {
    throw new HearthError(
      'sandbox_unavailable',
      `sandbox.limits is require, and not all limits hold here. ${failed.map(({ name, detail }) => `${name}: ${detail}`).join('. ')}.`,
      { extra: { failed } },
    );
  }
  for (const { name, detail } of failed) log.warn({ limit: name }, `not bounded: ${detail}`);
  const held = probes.filter(({ ok }) => ok);
  if (held.length > 0) log.info({ limits: held.map(({ detail }) => detail) }, 'sandboxes are bounded by cgroups');
}
