/**
 * What a sandbox costs from the nursery and from plain bubblewrap: request to Hello, CPU, memory of an idle one.
 * Usage: node bench/nursery-probe.ts [layer folder] [sandboxes per measurement]
 * The layer folder holds what requirements.functions.txt installs: pip install --target <folder> -r requirements.functions.txt
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBubblewrapDriver } from '../src/sandbox/bubblewrap/bubblewrap-driver.ts';
import { compileAgent } from '../src/sandbox/compile-agent.ts';
import type { NetworkMode, Sandbox, SandboxDriver } from '../src/sandbox/driver.ts';
import { inspectInterpreter } from '../src/sandbox/interpreter.ts';
import { createNursery } from '../src/sandbox/nursery/nursery-driver.ts';
import { processTree } from '../src/sandbox/process-tree.ts';

const [layer, count = '200'] = process.argv.slice(2);
const layers = layer === undefined ? [] : [layer];
const repetitions = Number(count);
const runtimes = (name: string) => fileURLToPath(new URL(`../runtimes/python/${name}`, import.meta.url));
const print = (line: string) => void process.stdout.write(`${line}\n`);

const python = await inspectInterpreter(process.env.HEARTH_PYTHON ?? 'python3', process.env.PATH ?? '');
const folder = mkdtempSync(join(tmpdir(), 'hearth-probe-'));
chmodSync(folder, 0o755);
const log = { warn: (fields: object, message: string) => print(`${message} ${JSON.stringify(fields)}`), debug: () => undefined };
const options = {
  python: python.executable,
  agentFolder: await compileAgent(runtimes('agent'), folder, python),
  agentEntry: '__main__.py',
  path: process.env.PATH ?? '',
  log,
  zygoteFolder: runtimes('zygote'),
  maxZygotes: 2,
};

/** Seconds of CPU that this process and everything below it have used so far, what has ended included (proc(5): utime, stime, cutime, cstime). */
async function cpuSeconds(): Promise<number> {
  const tree = await processTree(process.pid);
  const ticks = tree.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ').slice(11, 15).map(Number) ?? [];
    return fields.reduce((sum, field) => sum + field, 0);
  });
  return ticks.reduce((sum, each) => sum + each, 0) / 100;
}

function percentile(sorted: readonly number[], share: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(2);
}

async function end(sandbox: Sandbox): Promise<void> {
  sandbox.kill();
  await sandbox.exited;
}

function spec(network: NetworkMode) {
  return { id: 'probe', runtime: 'python', layers, network, tmpBytes: 64 * 1024 * 1024 } as const;
}

async function latency(driver: SandboxDriver, network: NetworkMode, times: number): Promise<string> {
  const taken: number[] = [];
  for (let turn = 0; turn < times; turn++) {
    const began = performance.now();
    const sandbox = await driver.create(spec(network));
    taken.push(performance.now() - began);
    if (sandbox.driver !== driver.name) throw new Error(`a sandbox of ${sandbox.driver} came`);
    await end(sandbox);
  }
  taken.sort((one, other) => one - other);
  return `p50 ${percentile(taken, 0.5)} ms, p99 ${percentile(taken, 0.99)} ms`;
}

/** Creates and ends, `lanes` at a time. */
async function rate(driver: SandboxDriver, network: NetworkMode, lanes: number, times: number): Promise<string> {
  let left = times;
  const before = await cpuSeconds();
  const began = performance.now();
  const lane = async () => {
    while (left-- > 0) await end(await driver.create(spec(network)));
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const seconds = (performance.now() - began) / 1000;
  const cpu = (((await cpuSeconds()) - before) * 1000) / times;
  return `${lanes} at a time: ${(times / seconds).toFixed(0)}/s, ${cpu.toFixed(2)} ms of CPU each (platform and sandboxes; not the kernel's own threads)`;
}

async function memory(driver: SandboxDriver, times: number): Promise<string> {
  const sandboxes: Sandbox[] = [];
  for (let turn = 0; turn < times; turn++) sandboxes.push(await driver.create(spec('none')));
  // The agent goes on importing after Hello.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const sizes = await Promise.all(sandboxes.map((sandbox) => sandbox.stats()));
  const mean = sizes.reduce((sum, { pssBytes }) => sum + pssBytes, 0) / sizes.length;
  await Promise.all(sandboxes.map(end));
  return `${(mean / 1024 / 1024).toFixed(2)} MiB PSS each (agent and init) at ${times} idle`;
}

async function measure(driver: SandboxDriver): Promise<void> {
  print(`\n${driver.name}`);
  await latency(driver, 'none', 10);
  print(`  none, one after another:   ${await latency(driver, 'none', repetitions)}`);
  print(`  none, ${await rate(driver, 'none', 1, repetitions)}`);
  print(`  none, ${await rate(driver, 'none', 8, repetitions * 2)}`);
  if (driver.networks().includes('egress')) {
    const times = Math.max(10, Math.floor(repetitions / 5));
    print(`  egress, one after another: ${await latency(driver, 'egress', times)}`);
    print(`  egress, ${await rate(driver, 'egress', 8, times)}`);
  }
  print(`  ${await memory(driver, Math.min(100, repetitions))}`);
}

const bubblewrap = createBubblewrapDriver(options);
const nursery = createNursery(options, bubblewrap);
for (const { name, ok, detail } of await nursery.probe()) if (!ok || name === 'nursery' || name === 'python') print(`${name}: ${detail}`);
const began = performance.now();
if (!(await nursery.warm(layers))) throw new Error('no zygote could be had');
print(`zygote ready after ${(performance.now() - began).toFixed(0)} ms`);
await measure(nursery);
await measure(bubblewrap);
await nursery.close();
rmSync(folder, { recursive: true });
