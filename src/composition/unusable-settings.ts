import type { Config } from '../config.ts';
import { databaseAddress } from '../postgres/database-address.ts';
import type { NetworkMode, Probe } from '../sandbox/driver.ts';

/**
 * What the operator has set and this machine can not do, in sentences: the platform would not start, or would lack what it was asked for. Settings that say
 * `auto` are content with what there is.
 */
export function unusableSettings(
  { sandbox, database }: Pick<Config, 'sandbox' | 'database'>,
  probes: readonly Probe[],
  networks: readonly NetworkMode[],
): string[] {
  const failed = probes.filter(({ ok }) => !ok).map(({ name }) => name);
  const nodes = sandbox.node.filter((program) => program !== 'auto' && failed.includes(`node ${program}`));
  const limits = failed.filter((name) => /^limits (memory|cpu|pids)$/.test(name));
  const { network } = sandbox;
  return [
    ...nodes.map((program) => `sandbox.node has ${program}, which can not be used.`),
    // Where there is no sandbox at all that says enough.
    ...(network !== 'auto' && networks.length > 0 && !networks.includes(network) ? [`sandbox.network is ${network}, which can not be had.`] : []),
    ...(sandbox.limits === 'require' && limits.length > 0
      ? [`sandbox.limits is require, and ${limits.map((name) => name.replace('limits ', '')).join(', ')} can not be bounded.`]
      : []),
    ...unusableDatabase(database.url),
  ];
}

function unusableDatabase(url: string): string[] {
  if (url === '') return [];
  try {
    databaseAddress(url);
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}
