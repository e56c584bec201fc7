import { readlinkSync } from 'node:fs';
import type { Probe } from '../driver.ts';
import { FUNCTION_FOLDER } from '../options.ts';
import { ARCHITECTURES } from './syscalls.ts';

/**
 * What a sandbox says of itself from inside. The drivers set all of this up; that it holds on this machine, with this kernel and this
 * bwrap, is asked of the kernel once more, and a platform doesn't start where it doesn't.
 */

/** What the script prints, as JSON. */
export interface Report {
  namespaces: Record<string, string>;
  /** Lines of /proc/self/status. */
  status: Record<string, string>;
  /** Call → error number; 0 when it was allowed. */
  calls: Record<string, number>;
  mounts: { target: string; options: string[] }[];
  devices: string[];
  /** What they lead to, but for /dev/null, which covers what the platform's launcher left open. */
  descriptors: string[];
}

const NAMESPACES = ['user', 'pid', 'net', 'ipc', 'uts', 'cgroup', 'mnt'];
/** One of each kind that the filter refuses with EPERM. With no arguments they do nothing where they are allowed. */
export const REFUSED = [
  'unshare',
  'mount',
  'ptrace',
  'process_vm_readv',
  'keyctl',
  'bpf',
  'perf_event_open',
  'io_uring_setup',
  'userfaultfd',
  'setns',
];
export const CAPABILITY_SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];
export const DEVICES = new Set(['null', 'zero', 'full', 'random', 'urandom', 'tty']);
const WRITABLE = new Set(['/tmp', '/dev/shm', FUNCTION_FOLDER]);
export const EPERM = 1;

/** Python, for an interpreter that runs in a sandbox; prints a report, and fails when what functions commonly import isn't there. */
export function selfExamination(arch: string): string {
  const syscalls = ARCHITECTURES[arch]?.syscalls ?? {};
  const numbers = Object.fromEntries(REFUSED.map((name) => [name, syscalls[name]]));
  return `
import ctypes, json, os, socket, ssl, stat
libc = ctypes.CDLL(None, use_errno=True)
def call(number):
    ctypes.set_errno(0)
    return ctypes.get_errno() if libc.syscall(ctypes.c_long(number), *[ctypes.c_long(0)] * 6) < 0 else 0
def link_of(descriptor):
    try:
        return os.readlink("/proc/self/fd/" + descriptor)
    except OSError:
        return None
fields = [line.split() for line in open("/proc/self/mountinfo")]
devices = []
for folder, _, files in os.walk("/dev"):
    devices += [name for name in files if stat.S_IFMT(os.lstat(os.path.join(folder, name)).st_mode) in (stat.S_IFCHR, stat.S_IFBLK)]
print(json.dumps({
    "namespaces": {kind: os.readlink("/proc/self/ns/" + kind) for kind in ${JSON.stringify(NAMESPACES)}},
    "status": dict(line.rstrip("\\n").split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line),
    "mounts": [{"target": line[4], "options": line[5].split(",")} for line in fields],
    "devices": devices,
    "descriptors": [link for link in map(link_of, os.listdir("/proc/self/fd")) if link not in ("/dev/null", None)],
    "calls": {name: call(number) for name, number in json.loads('${JSON.stringify(numbers)}').items()},
}))
`;
}

/** Checks of what a sandbox without a network said of itself. Never throws. */
export function judge(said: string): Probe[] {
  let report: Report;
  try {
    report = JSON.parse(said);
  } catch {
    return [{ name: 'isolation', ok: false, detail: `a sandbox could not examine itself; it said: ${said.slice(0, 500)}` }];
  }
  return [namespaces(report), privileges(report), systemCalls(report), files(report)];
}

export function verdictOf(name: string, wrong: readonly string[], right: string): Probe {
  return { name, ok: wrong.length === 0, detail: wrong.length === 0 ? right : wrong.join('; ') };
}

function namespaces({ namespaces: inside }: Report): Probe {
  const shared = NAMESPACES.filter((kind) => inside[kind] === readlinkSync(`/proc/self/ns/${kind}`));
  const wrong = shared.map((kind) => `the ${kind} namespace is the platform's own`);
  return verdictOf('namespaces', wrong, `${NAMESPACES.join(', ')}: the sandbox's own`);
}

function privileges({ status }: Report): Probe {
  const wrong = CAPABILITY_SETS.filter((set) => !/^0+$/.test(status[set] ?? '')).map((set) => `${set} is ${status[set] ?? 'not told'}, not empty`);
  if (status.NoNewPrivs !== '1') wrong.push('no_new_privs is not set');
  if (!/^65534\t65534\t65534\t65534$/.test(status.Uid ?? '')) wrong.push(`the user ids are ${status.Uid ?? 'not told'}`);
  return verdictOf('privileges', wrong, 'nobody, no_new_privs, all five capability sets empty');
}

function systemCalls({ status, calls }: Report): Probe {
  const wrong = REFUSED.filter((name) => calls[name] !== EPERM).map(
    (name) => `${name} is answered with ${calls[name] === 0 ? 'success' : `error ${calls[name]}`}, not with EPERM`,
  );
  if (status.Seccomp !== '2') wrong.push('no filter is loaded (does the kernel have CONFIG_SECCOMP_FILTER?)');
  return verdictOf('seccomp', wrong, `an allow-list is loaded; ${REFUSED.join(', ')} are refused`);
}

function files({ mounts, devices, descriptors }: Report): Probe {
  const wrong = mounts.flatMap(({ target, options }) => [
    ...(options.includes('nosuid') ? [] : [`setuid works below ${target}`]),
    ...(options.includes('ro') || WRITABLE.has(target) || isDevice(target) ? [] : [`${target} is writable`]),
    ...(options.includes('nodev') || isDevice(target) ? [] : [`devices work below ${target}`]),
  ]);
  wrong.push(...devices.filter((name) => !DEVICES.has(name)).map((name) => `/dev/${name} is there`));
  // Standard output, error and the channel.
  if (descriptors.length > 3) wrong.push(`more descriptors are open than it was given: ${descriptors.join(', ')}`);
  return verdictOf('files', wrong, 'root and /proc read-only, /tmp and /dev/shm bounded, no setuid, six devices, no descriptors of others');
}

/** A cover of /proc is the null device. */
function isDevice(target: string): boolean {
  return (target.startsWith('/dev/') && DEVICES.has(target.slice(5))) || /^\/proc\/[a-z_-]+$/.test(target);
}
