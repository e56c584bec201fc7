import { readlinkSync } from 'node:fs';
import { CAPABILITY_SETS, DEVICES, EPERM, REFUSED, type Report, selfExamination, verdictOf } from '../bubblewrap/self-examination.ts';
import type { Probe } from '../driver.ts';
import { FUNCTION_FOLDER } from '../options.ts';

/** A container's own by the engine's doing; its user namespace is the machine's, unless the engine maps users. */
const NAMESPACES = ['pid', 'net', 'ipc', 'uts', 'cgroup', 'mnt'];
/** The engine's own mounts, of which a user other than root can write the first two only. */
const WRITABLE = new Set(['/tmp', FUNCTION_FOLDER, '/dev/shm', '/dev', '/dev/pts', '/dev/mqueue', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf']);

/** Python that prints what a container says of itself, and the version of its interpreter, a line of JSON each. */
export function examination(arch: string): string {
  return `${selfExamination(arch)}
import sys
print(json.dumps(sys.version_info[:3]))
`;
}

export interface Judgement {
  probes: Probe[];
  /** Of the interpreter in the image: major, minor, patch. */
  python: readonly [number, number, number] | undefined;
}

/** @param ownKernel the runtime stands between functions and the kernel (runsc), and has its own idea of what is refused. Never throws. */
export function judge(said: string, ownKernel: boolean): Judgement {
  let report: Report;
  let python: [number, number, number];
  try {
    const [first = '', second = ''] = said.split('\n');
    report = JSON.parse(first);
    python = JSON.parse(second);
  } catch {
    return {
      probes: [{ name: 'isolation', ok: false, detail: `a container could not examine itself; it said: ${said.slice(0, 500)}` }],
      python: undefined,
    };
  }
  return { probes: [namespaces(report), privileges(report), ...(ownKernel ? [] : [systemCalls(report), files(report)])], python };
}

function namespaces({ namespaces: inside }: Report): Probe {
  const shared = NAMESPACES.filter((kind) => inside[kind] === readlinkSync(`/proc/self/ns/${kind}`));
  return verdictOf(
    'namespaces',
    shared.map((kind) => `the ${kind} namespace is the platform's own`),
    `${NAMESPACES.join(', ')}: the container's own`,
  );
}

function privileges({ status }: Report): Probe {
  const wrong = CAPABILITY_SETS.filter((set) => !/^0+$/.test(status[set] ?? '')).map((set) => `${set} is ${status[set] ?? 'not told'}, not empty`);
  if (status.NoNewPrivs !== '1') wrong.push('no_new_privs is not set');
  if (/\b0\b/.test(status.Uid ?? '0')) wrong.push(`the user ids are ${status.Uid ?? 'not told'}`);
  return verdictOf('privileges', wrong, 'not root, no_new_privs, all five capability sets empty');
}

function systemCalls({ status, calls }: Report): Probe {
  const wrong = REFUSED.filter((name) => calls[name] !== EPERM).map(
    (name) => `${name} is answered with ${calls[name] === 0 ? 'success' : `error ${calls[name]}`}, not with EPERM`,
  );
  if (status.Seccomp !== '2') wrong.push('no filter is loaded (was the engine built with seccomp?)');
  return verdictOf('seccomp', wrong, `an allow-list is loaded; ${REFUSED.join(', ')} are refused`);
}

function files({ mounts, devices, descriptors }: Report): Probe {
  const wrong = visible(mounts)
    .filter(({ target, options }) => !options.includes('ro') && !WRITABLE.has(target) && !/^\/proc\/[a-z_-]+$/.test(target))
    .map(({ target }) => `${target} is writable`);
  wrong.push(...devices.filter((name) => !DEVICES.has(name)).map((name) => `/dev/${name} is there`));
  // Standard output and error.
  if (descriptors.length > 3) wrong.push(`more descriptors are open than it was given: ${descriptors.join(', ')}`);
  return verdictOf('files', wrong, 'root and /proc read-only, /tmp and /dev/shm bounded, six devices, no descriptors of others');
}

/** Without what later mounts have covered. */
function visible(mounts: Report['mounts']): Report['mounts'] {
  return mounts.filter(
    ({ target }, index) => !mounts.slice(index + 1).some((later) => target === later.target || target.startsWith(`${later.target}/`)),
  );
}
