import { existsSync, readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import type { NetworkMode, Probe } from '../driver.ts';
import { type Interpreter, unsupportedVersion } from '../interpreter.ts';
import { runCommand } from '../run-command.ts';
import { judge } from './self-examination.ts';
import { egressTools, type Tools } from './tools.ts';

export interface ProbeContext {
  tools: Tools;
  isRoot: boolean;
  interpreter: () => Promise<Interpreter>;
  /** Makes a real sandbox, and resolves with what its examination of itself said; rejects with what went wrong. */
  tryNetwork: (network: NetworkMode) => Promise<string>;
  /** Path of the agent's entry on the host. */
  agent: string;
}

export interface ProbeResult {
  probes: Probe[];
  networks: NetworkMode[];
}

/** The first version with the fix of CVE-2026-87766 (symbolic links during set-up) and of what was found before it. */
const FIXED_BWRAP = [0, 12, 0];
const OLDEST_BWRAP = [0, 4, 0];

const APPARMOR_USERNS = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns';
const DEBIAN_USERNS = '/proc/sys/kernel/unprivileged_userns_clone';
const CONTAINER_MARKS = ['/.dockerenv', '/run/.containerenv'];
const NAMESPACE_KINDS = ['user', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'mnt'];
/** With fewer of a kind than this, growth ends early. */
const FEWEST_NAMESPACES = 256;

/** Never throws. What is informative only is always `ok`. */
export async function probeMachine(context: ProbeContext): Promise<ProbeResult> {
  const { tools, isRoot } = context;
  const probes: Probe[] = [];
  const networks: NetworkMode[] = [];
  const add = (name: string, ok: boolean, detail: string) => probes.push({ name, ok, detail });

  add(
    'kernel',
    process.platform === 'linux',
    `${process.platform} ${release()} ${process.arch}, platform runs as ${isRoot ? 'root' : 'an ordinary user'}`,
  );
  if (process.platform !== 'linux') return { probes, networks };
  const asked = context.interpreter();
  asked.catch(() => undefined);
  probes.push(userNamespaces(), await bubblewrap(tools.bwrap));

  let interpreter: Interpreter | undefined;
  try {
    interpreter = await asked;
    const unsupported = unsupportedVersion(interpreter);
    add('python', unsupported === undefined, unsupported ?? `${interpreter.executable} ${interpreter.version.join('.')}`);
    add('pip', interpreter.pip !== null, pipDetail(interpreter));
  } catch (error) {
    add('python', false, messageOf(error));
  }
  add('agent', existsSync(context.agent), existsSync(context.agent) ? context.agent : `${context.agent} does not exist; reinstall Hearth`);

  if (interpreter !== undefined && probes.every(({ ok, name }) => ok || name === 'pip' || name === 'agent')) {
    const egress = egressTools(tools, isRoot, interpreter.executable);
    // At the same time: where the first fails, nobody asks for the other.
    const [made, tried] = await Promise.all([
      attempt(() => context.tryNetwork('none')),
      typeof egress === 'string' ? ({ ok: false, trouble: egress } as const) : attempt(() => context.tryNetwork('egress')),
    ]);
    add('sandbox', made.ok, made.ok ? 'made one, and ran Python in it' : made.trouble + containerHint(made.trouble));
    const held = made.ok ? judge(made.value) : [];
    probes.push(...held);
    if (made.ok && held.every(({ ok }) => ok)) {
      networks.push('none');
      if (tried.ok) networks.push('egress');
      const as = typeof egress !== 'string' && egress.runAs === 'root' ? 'root' : "the sandbox's user";
      add('network egress', tried.ok, tried.ok ? `slirp4netns, as ${as}` : tried.trouble);
      networks.push('host');
    }
  } else add('sandbox', false, 'not tried: see the failed checks above');
  return { probes, networks };
}

function userNamespaces(): Probe {
  const name = 'user namespaces';
  const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined);
  if (read(DEBIAN_USERNS) === '0') return { name, ok: false, detail: 'switched off; run: sysctl -w kernel.unprivileged_userns_clone=1' };
  const limits = NAMESPACE_KINDS.map((kind) => ({ kind, limit: Number(read(`/proc/sys/user/max_${kind}_namespaces`) ?? Number.POSITIVE_INFINITY) }));
  const [tightest] = limits.sort((one, other) => one.limit - other.limit);
  if (tightest !== undefined && tightest.limit < FEWEST_NAMESPACES) {
    const { kind, limit } = tightest;
    const detail = `user.max_${kind}_namespaces is ${limit}, and every sandbox takes one; run: sysctl -w user.max_${kind}_namespaces=16384`;
    return { name, ok: limit > 0, detail };
  }
  if (read(APPARMOR_USERNS) === '1') {
    // A profile for bwrap may allow it all the same: the check 'sandbox' tells.
    return {
      name,
      ok: true,
      detail:
        'AppArmor restricts them. If the check "sandbox" fails, give bwrap a profile with `userns,` in /etc/apparmor.d/bwrap (Ubuntu: package apparmor-profiles), or run: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
    };
  }
  return { name, ok: true, detail: `allowed (at most ${tightest?.limit ?? 'unknown'} of a kind)` };
}

async function bubblewrap(bwrap: string | undefined): Promise<Probe> {
  const name = 'bubblewrap';
  if (bwrap === undefined) return { name, ok: false, detail: 'bwrap is not on PATH; install the package bubblewrap' };
  if ((statSync(bwrap).mode & 0o4000) !== 0) {
    return { name, ok: false, detail: `${bwrap} is setuid root, which has been the way of several exploits; run: chmod u-s ${bwrap}` };
  }
  const { stdout, stderr } = await runCommand(bwrap, ['--version'], { environment: {}, timeoutMs: 10_000 });
  const version = /(\d+)\.(\d+)\.(\d+)/.exec(stdout)?.slice(1).map(Number);
  if (version === undefined) return { name, ok: false, detail: `${bwrap} --version says nothing we know: ${(stdout + stderr).trim()}` };
  if (isBelow(version, OLDEST_BWRAP)) return { name, ok: false, detail: `${bwrap} is ${version.join('.')}; 0.4.0 or later is needed` };
  const note = isBelow(version, FIXED_BWRAP)
    ? '; before 0.12.0, with CVE-2026-87766 and CVE-2026-41163 unless your distribution has patched them: Hearth mounts nothing below what functions supply and refuses a setuid bwrap, so neither reaches it, but update when you can'
    : '';
  return { name, ok: true, detail: `${bwrap} ${version.join('.')}${note}` };
}

function isBelow(version: readonly number[], other: readonly number[]): boolean {
  const difference = version.map((part, index) => part - (other[index] ?? 0)).find((part) => part !== 0);
  return difference !== undefined && difference < 0;
}

function pipDetail({ pip, executable }: Interpreter): string {
  if (pip === null) return `${executable} has no pip, so no layers can be built; install the package python3-pip`;
  return `${pip.version}, ${pip.kind} ${pip.path}`;
}

type Attempt = { ok: true; value: string } | { ok: false; trouble: string };

async function attempt(action: () => Promise<string>): Promise<Attempt> {
  try {
    return { ok: true, value: await action() };
  } catch (error) {
    return { ok: false, trouble: messageOf(error) };
  }
}

/** A container's own filter is the most frequent reason there. */
function containerHint(trouble: string): string {
  if (!/namespace|permi/i.test(trouble) || !CONTAINER_MARKS.some((path) => existsSync(path))) return '';
  return " This is a container, whose own filter may forbid namespaces: Docker's does unless told --security-opt seccomp=unconfined --security-opt systempaths=unconfined (and, on Ubuntu, apparmor=unconfined).";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
