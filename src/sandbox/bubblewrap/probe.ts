import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import type { NetworkMode, Probe } from '../driver.ts';
import { type Interpreter, unsupportedVersion } from '../interpreter.ts';
import { runCommand } from '../run-command.ts';
import { egressTools, type Tools } from './tools.ts';

export interface ProbeContext {
  tools: Tools;
  isRoot: boolean;
  interpreter: () => Promise<Interpreter>;
  /** Makes a real sandbox and rejects with what went wrong. */
  tryNetwork: (network: NetworkMode) => Promise<void>;
  /** Path of the agent's entry on the host. */
  agent: string;
}

export interface ProbeResult {
  probes: Probe[];
  networks: NetworkMode[];
}

/** The first version with the fix of CVE-2026-87766 (symbolic links during set-up). */
const FIXED_BWRAP = [0, 12, 0];
const OLDEST_BWRAP = [0, 4, 0];

const APPARMOR_USERNS = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns';
const DEBIAN_USERNS = '/proc/sys/kernel/unprivileged_userns_clone';
const MAX_USERNS = '/proc/sys/user/max_user_namespaces';

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
  probes.push(userNamespaces(), await bubblewrap(tools.bwrap));

  let interpreter: Interpreter | undefined;
  try {
    interpreter = await context.interpreter();
    const unsupported = unsupportedVersion(interpreter);
    add('python', unsupported === undefined, unsupported ?? `${interpreter.executable} ${interpreter.version.join('.')}`);
    add('pip', interpreter.pip !== null, pipDetail(interpreter));
  } catch (error) {
    add('python', false, messageOf(error));
  }
  add('agent', existsSync(context.agent), existsSync(context.agent) ? context.agent : `${context.agent} does not exist; reinstall Hearth`);

  if (interpreter !== undefined && probes.every(({ ok, name }) => ok || name === 'pip' || name === 'agent')) {
    const isolation = await attempt(() => context.tryNetwork('none'));
    add('sandbox', isolation === undefined, isolation ?? 'made one, with namespaces and system call filter, and ran Python in it');
    if (isolation === undefined) {
      networks.push('none');
      const egress = egressTools(tools, isRoot, interpreter.executable);
      const failed = typeof egress === 'string' ? egress : await attempt(() => context.tryNetwork('egress'));
      if (failed === undefined) networks.push('egress');
      add(
        'network egress',
        failed === undefined,
        failed ?? `slirp4netns, as ${typeof egress !== 'string' && egress.runAs === 'root' ? 'root' : "the sandbox's user"}`,
      );
      networks.push('host');
    }
  } else add('sandbox', false, 'not tried: see the failed checks above');
  add('cgroups', true, cgroups());
  return { probes, networks };
}

function userNamespaces(): Probe {
  const name = 'user namespaces';
  const read = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined);
  if (read(MAX_USERNS) === '0') return { name, ok: false, detail: 'user.max_user_namespaces is 0; run: sysctl -w user.max_user_namespaces=16384' };
  if (read(DEBIAN_USERNS) === '0') return { name, ok: false, detail: 'switched off; run: sysctl -w kernel.unprivileged_userns_clone=1' };
  if (read(APPARMOR_USERNS) === '1') {
    // A profile for bwrap may allow it all the same: the check 'sandbox' tells.
    return {
      name,
      ok: true,
      detail:
        'AppArmor restricts them. If the check "sandbox" fails, give bwrap a profile with `userns,` in /etc/apparmor.d/bwrap (Ubuntu: package apparmor-profiles), or run: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
    };
  }
  return { name, ok: true, detail: `allowed (at most ${read(MAX_USERNS) ?? 'unknown'})` };
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
    ? '; before 0.12.0 (CVE-2026-87766, unless your distribution has patched it): Hearth mounts nothing below what functions supply, so it does not apply, but update when you can'
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

function cgroups(): string {
  const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const folder = unified ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
  return `version ${unified ? 2 : 1}, ${isWritable(folder) ? 'writable' : 'not writable'}; sandboxes get no cgroup of their own yet`;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** What went wrong, or undefined. */
async function attempt(action: () => Promise<void>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
