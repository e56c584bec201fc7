import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Footprint, Holdings } from '../../test/hostile/support/footprint.ts';
import type { Caller } from './caller.ts';

/** What a platform holds at one moment. */
export interface Sample {
  /** Seconds since the load began. */
  at: number;
  rssBytes: number;
  heapBytes: number;
  /** Of the platform's own process, its clients' connections among them. */
  descriptors: number;
  /** Below the platform's own process. */
  processes: number;
  /** Different user ids of sandboxes that have a process. */
  users: number;
  cgroups: number;
  mounts: number;
  files: number;
  /** Live, as the platform has it. */
  instances: number;
  /** Booted and without a function. */
  stocked: number;
}

/** User ids that the platform gives to sandboxes; others on the machine, a second soak among them, take others. The platform's default begins at 1.9 × 10⁹. */
export interface UserIds {
  first: number;
  count: number;
}

export interface Watched {
  pid: number;
  api: string;
  footprint: Footprint;
  users: UserIds;
}

export async function takeSample(
  { pid, api, footprint, users }: Watched,
  caller: Caller,
  startedAt: number,
): Promise<{ sample: Sample; holdings: Holdings }> {
  const metrics = (await caller.ask(`${api}/metrics`)).body;
  const holdings = withoutDatabases(footprint.take());
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const sample = {
    at: (performance.now() - startedAt) / 1000,
    rssBytes: 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]),
    heapBytes: sumOf(metrics, 'nodejs_heap_size_used_bytes'),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    processes: holdings.processes.length,
    users: usersInUse(users),
    cgroups: holdings.cgroups.length,
    mounts: holdings.mounts.length,
    files: holdings.files.length,
    instances: sumOf(metrics, 'hearth_instances'),
    stocked: sumOf(metrics, 'hearth_pool_stocked') + sumOf(metrics, 'hearth_pool_booting'),
  };
  return { sample, holdings };
}

/** How many of the user ids that the platform gives to sandboxes have a process, whoever started it. */
export function usersInUse({ first, count }: UserIds): number {
  const users = new Set<number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const user = Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]);
      if (user >= first && user < first + count) users.add(user);
    } catch {
      // It has ended in between.
    }
  }
  return users.size;
}

/** What waits in the kernel at a port of the loopback, as proc_net_tcp(5) has it: a listener's receive queue are connections that nobody has accepted yet. */
export function queuesOf(port: number): string {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = '', remote = '']) => local.endsWith(suffix) || remote.endsWith(suffix))
    .filter(([, , , state, queues]) => state === '0A' || queues !== '00000000:00000000');
  return `queues at its port (local, remote, state, sent:received): ${rows
    .map((row) => row.slice(1, 5).join(' '))
    .slice(0, 20)
    .join(', ')}`;
}

/** Slope of the line through points by least squares. @returns units of y per unit of x; 0 for fewer than two */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const count = points.length;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  const spread = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return spread === 0 || count < 2 ? 0 : points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
}

/** SQLite makes and removes journals beside its databases as it sees fit. */
function withoutDatabases(holdings: Holdings): Holdings {
  return { ...holdings, files: holdings.files.filter((path) => !/^(hearth|queue)\.db/.test(path)) };
}

/** Of all lines of a metric, whatever their labels. */
function sumOf(metrics: string, name: string): number {
  let sum = 0;
  for (const line of metrics.split('\n')) {
    if (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) sum += Number(line.slice(line.lastIndexOf(' ') + 1));
  }
  return sum;
}
