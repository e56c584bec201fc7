import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.ts';
import type { Folded } from './flame-graph.ts';
import { runCommand } from './run-command.ts';

/** Samples a second and core; no divisor of timers' rates. */
const FREQUENCY = '997';
/** For perf to be sampling. Milliseconds. */
const LEAD_MS = 300;
/** Idle cores, and the one who looks. */
const IGNORED = /^(swapper|perf)/;

/** Node.js writes down what it compiled, so that perf can name it. */
export const PERF_NODE_ARGUMENTS = ['--perf-basic-prof-only-functions', '--interpreted-frames-native-stack'] as const;

/** All that runs on the machine while `work` does, by `perf` on the kernel's clock. @throws Error when perf is missing or not allowed */
export async function sampled(work: () => Promise<void>): Promise<Folded> {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-perf-'));
  const data = join(folder, 'perf.data');
  try {
    {
      await using perf = new Child('perf', ['record', '--quiet', '--all-cpus', '--freq', FREQUENCY, '-g', '--event', 'cpu-clock', '--output', data]);
      await sleep(LEAD_MS);
      if (!perf.running) throw new Error('perf does not run: install linux-perf, and be root or set kernel.perf_event_paranoid to -1');
      await work();
      perf.process.kill('SIGINT');
      while (perf.running) await sleep(50);
    }
    return fold(await runCommand('perf', ['script', '--input', data, '--fields', 'comm,ip,sym,dso']));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** From what `perf script` prints: a line with the process's name, then its frames, the innermost first, then an empty line. */
export function fold(text: string): Folded {
  const folded = new Map<string, number>();
  for (const sample of text.split('\n\n')) {
    const [head, ...lines] = sample.split('\n').filter((line) => line.trim() !== '');
    const process = head?.trim();
    if (process === undefined || IGNORED.test(process)) continue;
    const frames = lines.map(frameOf).filter((frame) => frame !== null);
    const stack = [process.replace(/\s+\d+$/, ''), ...frames.reverse()].join(';');
    folded.set(stack, (folded.get(stack) ?? 0) + 1);
  }
  return folded;
}

const FRAME = /^\s*[0-9a-f]+ (.+) \(([^()]*)\)$/;

/** With a mark behind it for where it belongs; null for those that nobody can name. */
function frameOf(line: string): string | null {
  const [, symbol = '', object = ''] = FRAME.exec(line) ?? [];
  const name = symbol.replaceAll(';', ':').replace(/\+0x[0-9a-f]+$/, '');
  if (name === '' || name === '[unknown]') return null;
  if (object.startsWith('[kernel') || object.startsWith('[guest')) return `${name}_[k]`;
  const script =
    /^(?:JS|LazyCompile|Function|Script|Eval|Builtin|RegExp|Interpreted\w*):(?:o?[~^*+'])?(\S*) (?:file:\/\/)?(\S*?)(:\d+)(?::\d+)?$/.exec(name);
  if (script) return `${script[1] || '(anonymous)'} ${(script[2] ?? '').split('/').slice(-2).join('/')}${script[3]}_[j]`;
  if (/perf-\d+\.map$/.test(object)) return `${name}_[j]`;
  if (/python/.test(object)) return `${name}_[p]`;
  return name.replaceAll('(anonymous namespace)::', '').replace(/\(.*$/, '') || name;
}
