import { setTimeout as sleep } from 'node:timers/promises';
import { callEach } from '../lib/call-each.ts';
import type { Bench, Case, Row, Section } from '../lib/case.ts';
import { Child } from '../lib/child.ts';
import { Docker } from '../lib/docker.ts';
import { availableMemory, type Memory, memoryOf } from '../lib/memory.ts';
import { BenchPlatform } from '../lib/platform.ts';
import { SeededFolder } from '../lib/seed.ts';
import { percentile } from '../lib/statistics.ts';
import { ratio } from '../lib/table.ts';

const MIB = 1024 * 1024;
const BODY = '{"name": "Valera"}';
const SLEEP = ['-I', '-S', '-c', 'import time; time.sleep(3600)'];
const CONTAINERS = 10;
/** For what starts and loads to come to rest. Milliseconds. */
const SETTLE_MS = 1500;

interface Measured {
  label: string;
  instances: number;
  /** Of all of them together. */
  memory: Memory | null;
  /** Bytes by which the machine's available memory fell. */
  taken: number | null;
  /** p99 of a call to each, all warm. */
  warmMs?: number;
}

/** What an idle instance holds, and how many can live side by side. */
export const memory: Case = {
  name: 'memory',
  summary: 'memory of idle instances, 10 to 2,000 of them, against bare processes and containers',
  async run(bench: Bench): Promise<Section[]> {
    const counts = bench.options.quick ? [10, 50] : [10, 200, 2000];
    const processes: Measured[] = [];
    for (const count of counts.filter((n) => n <= 200)) processes.push(await bareProcesses(count));
    const rows = [...processes, await inContainers(bench), ...(await inHearth(bench, counts))];
    const [baseline] = processes as [Measured];
    return [
      {
        title: 'Memory of an idle instance',
        notes: [
          'Each instance is a handler of its own (10 lines, the default libraries, network none), called once, then idle; then each is called again, and has to answer warm.',
          'PSS: what is shared counts in parts, and once for an init that lives in its agent’s memory. All processes below the platform are summed (agents, inits, the zygote, whose part shrinks with their number) and divided by the instances; without the platform’s own process, without a pool.',
          'Machine: by how much MemAvailable fell, divided likewise. Page tables, namespaces and sockets show there only; on a machine that does other things too it is rough.',
          'A container is counted with its shim, without the daemon.',
        ],
        columns: ['instances', 'PSS MiB', 'private dirty MiB', 'machine MiB', 'processes each', 'p99 ms, each called warm', 'PSS to python3'],
        rows: rows.map((row) => rowOf(row, baseline)),
        raw: rows,
      },
    ];
  },
};

async function inHearth({ options, say }: Bench, counts: readonly number[]): Promise<Measured[]> {
  say('registering functions');
  await using seeded = await SeededFolder.create(options, [{ name: 'idle', program: 'hello.py', settings: { network: 'none' } }]);
  const paths = await seeded.copy('idle', 0, counts.at(-1) as number);
  const measured: Measured[] = [];
  for (const nursery of ['auto', 'off'] as const) {
    const environment = {
      HEARTH_SANDBOX_NURSERY: nursery,
      HEARTH_POOL_MINIMUM: '0',
      HEARTH_LIMITS_MAX_INSTANCES: '2500',
      HEARTH_LIMITS_IDLE_MS: '3600000',
    };
    await using platform = await BenchPlatform.start({ libraries: options.libraries, dataFrom: seeded.path, environment });
    await sleep(SETTLE_MS);
    const before = await availableMemory();
    let live = 0;
    // Booted ones take their time, and their number changes little.
    for (const count of counts.slice(0, nursery === 'auto' ? counts.length : 1)) {
      say(`${count} instances, nursery ${nursery}`);
      const requests = paths.slice(0, count).map((path) => ({ url: `${platform.gateway}${path}`, body: BODY }));
      await callEach(requests.slice(live), 8);
      live = count;
      await sleep(SETTLE_MS);
      const taken = before - (await availableMemory());
      const held = await memoryOf([platform.pid], [platform.pid]);
      const { answers } = await callEach(requests, 4);
      const cold = answers.filter(({ headers }) => headers['x-hearth-start'] !== 'warm').length;
      if (cold > 0) throw new Error(`${cold} of ${count} instances were gone when they were called again`);
      const label = `Hearth (${nursery === 'auto' ? 'nursery' : 'bubblewrap'}, network none)`;
      const warmMs = percentile(
        answers.map(({ milliseconds }) => milliseconds),
        0.99,
      );
      measured.push({ label, instances: count, memory: held, taken, warmMs });
    }
  }
  return measured;
}

async function bareProcesses(count: number): Promise<Measured> {
  await using processes = new AsyncDisposableStack();
  const before = await availableMemory();
  const children = Array.from({ length: count }, () => processes.use(new Child('/usr/bin/python3', SLEEP)));
  await sleep(SETTLE_MS);
  const taken = before - (await availableMemory());
  const held = await memoryOf(children.map(({ process }) => process.pid as number));
  return { label: '`python3 -I -S` that sleeps, no isolation', instances: count, memory: held, taken };
}

async function inContainers({ options, say }: Bench): Promise<Measured> {
  const label = '`docker run` of the same';
  const without = (why: string): Measured => ({ label: `${label}: ${why}`, instances: CONTAINERS, memory: null, taken: null });
  if (!options.docker) return without('left out');
  let docker: Docker;
  try {
    docker = await Docker.start(say);
  } catch (error) {
    return without(`not measured, ${(error as Error).message}`);
  }
  await using owned = docker;
  say('starting containers');
  const before = await availableMemory();
  const shims: number[] = [];
  await using containers = new AsyncDisposableStack();
  for (let index = 0; index < CONTAINERS; index++) shims.push(containers.use(await owned.runDetached(['python3', ...SLEEP])).shim);
  await sleep(SETTLE_MS);
  const taken = before - (await availableMemory());
  const isolation = `runc, default seccomp profile, network host; Docker ${owned.version}`;
  return { label: `${label} (${isolation})`, instances: CONTAINERS, memory: await memoryOf(shims), taken };
}

function rowOf({ label, instances, memory: held, taken, warmMs }: Measured, baseline: Measured): Row {
  const each = (bytes: number | undefined | null): number | null => (bytes === undefined || bytes === null ? null : bytes / instances / MIB);
  return {
    label,
    cells: [
      String(instances),
      each(held?.pss),
      each(held?.privateDirty),
      each(taken),
      held && held.processes / instances,
      warmMs ?? null,
      ratio(each(held?.pss), (baseline.memory?.pss ?? 0) / baseline.instances / MIB),
    ],
  };
}
