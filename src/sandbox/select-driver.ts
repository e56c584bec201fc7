import { HearthError } from '../errors.ts';
import { createBubblewrapDriver } from './bubblewrap/bubblewrap-driver.ts';
import type { Probe, SandboxDriver } from './driver.ts';
import type { DriverLog, DriverOptions } from './options.ts';
import { createProcessDriver } from './process/process-driver.ts';

/** Checks that a platform can do without: some functions then can't be served, or no layers be built, and that is said where it is asked for. */
const OPTIONAL_PROBES = new Set(['network egress', 'node image', 'pip', 'limits cpu', 'limits memory', 'limits pids']);

/** The probed driver of that name. @throws HearthError sandbox_unavailable with the checks that failed and what to do */
export function selectDriver(name: 'bubblewrap' | 'process', options: DriverOptions): Promise<SandboxDriver> {
  return requireProbes(name === 'process' ? createProcessDriver(options) : createBubblewrapDriver(options), options.log);
}

/** The driver, if it works here; otherwise it is closed. @throws HearthError sandbox_unavailable with the checks that failed and what to do */
export async function requireProbes<T extends SandboxDriver>(driver: T, log: DriverLog): Promise<T> {
  const failed = (await driver.probe()).filter(({ ok }) => !ok);
  for (const probe of failed) log.warn({ driver: driver.name, check: probe.name }, `Check '${probe.name}' failed: ${probe.detail}`);
  if (failed.every((probe) => OPTIONAL_PROBES.has(probe.name))) return driver;
  await driver.close();
  throw new HearthError('sandbox_unavailable', refusal(driver.name, failed), { extra: { failed } });
}

function refusal(name: string, failed: readonly Probe[]): string {
  const list = failed.map((probe) => `${probe.name}: ${probe.detail.replace(/\.$/, '')}`).join('; ');
  const way = name === 'process' ? '' : ' Or choose the driver `process` by name: it starts anywhere and isolates nothing.';
  return `The sandbox driver ${name} can not be used here. ${list}.${way}`;
}
