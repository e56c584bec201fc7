import { lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FUNCTION_FOLDER } from '../options.ts';
import type { InterpreterFiles } from '../runtimes.ts';
import type { Step } from './plan.ts';

const MIB = 1024 * 1024;
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

/** Certificate authorities, OpenSSL's configuration, time zones: where the distributions keep them. */
const SHARED_DATA = [
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
  '/etc/pki/tls',
  '/etc/pki/ca-trust/extracted',
  '/usr/share/ca-certificates',
  '/usr/local/share/ca-certificates',
  '/usr/share/zoneinfo',
  '/etc/localtime',
  '/etc/ld.so.cache',
];

/** Prefixes that hold a whole system and not one interpreter: of these only what Python needs is shown. */
const SYSTEM_PREFIXES = new Set(['/', '/usr', '/usr/local']);

/**
 * The read-only part of every sandbox: the interpreter, its standard library and shared objects, and a few files of /etc.
 * No shell, no packages of the host. `other`: a second one, whose programs are run beside it.
 */
export function interpreterSteps(interpreter: InterpreterFiles, extraBinds: readonly string[], other?: InterpreterFiles): Step[] {
  const { basePrefix, loader } = interpreter;
  const shown: string[] = [];
  const steps: Step[] = [];
  const isShown = (path: string) => shown.some((folder) => path === folder || path.startsWith(`${folder}/`));
  const show = (path: string) => {
    if (isShown(path)) return;
    shown.push(path);
    steps.push(readOnly(path, path));
  };
  const showProgram = (files: InterpreterFiles) => {
    if (files.shownAt === undefined) show(files.executable);
    else steps.push(readOnly(files.executable, files.shownAt));
  };
  if (!SYSTEM_PREFIXES.has(basePrefix)) show(basePrefix);
  for (const folder of interpreter.standardLibraries) show(folder);
  for (const path of libraryPaths(interpreter.sharedObjects)) show(path);
  showProgram(interpreter);
  if (other !== undefined) {
    if (!SYSTEM_PREFIXES.has(other.basePrefix)) show(other.basePrefix);
    for (const path of libraryPaths(other.sharedObjects)) show(path);
    showProgram(other);
  }
  for (const packages of interpreter.sitePackages) {
    if (isShown(packages)) {
      steps.push({ kind: 'tmpfs', target: packages, bytes: 4096, mode: '0555' }, { kind: 'remount-read-only', target: packages });
    }
  }
  for (const path of [...SHARED_DATA, ...interpreter.openssl, ...extraBinds]) {
    if (!exists(path) || isShown(path)) continue;
    const real = realpathSync(path);
    // A link (/usr/lib/ssl/certs on Debian) to what is already there stays a link; what another leads to is shown in its place.
    if (real !== path && isShown(real)) steps.push({ kind: 'symlink', to: real, target: path });
    else {
      shown.push(path);
      steps.push(readOnly(real, path));
    }
  }
  steps.push(...rootLinks());
  if (loader !== null) {
    const place = join(realpathSync(dirname(loader)), basename(loader));
    if (!isShown(place)) steps.push({ kind: 'symlink', to: realpathSync(loader), target: place });
  }
  return steps;
}

/** Folders of shared objects; from a folder that holds more than those, the objects one by one. */
function libraryPaths(sharedObjects: readonly string[]): string[] {
  const paths = new Set<string>();
  for (const object of sharedObjects) {
    const folder = dirname(object);
    if (folder === '/usr/local/lib') paths.add(object);
    else {
      paths.add(folder);
      // Where /lib and /usr/lib aren't one, a library may ask for others in either.
      const twin = folder.startsWith('/usr/lib') ? folder.slice(4) : folder.startsWith('/lib') ? `/usr${folder}` : undefined;
      if (twin !== undefined && exists(twin)) paths.add(realpathSync(twin));
    }
  }
  return [...paths].sort();
}

/** /lib and /lib64 where they are links, as on most distributions. */
function rootLinks(): Step[] {
  return ['/lib', '/lib64', '/lib32']
    .filter((path) => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
    .map((path): Step => ({ kind: 'symlink', to: readlinkSync(path), target: path }));
}

export interface EtcFiles {
  hosts: string;
  resolvConf: string;
}

/** The small files of /etc, the sandbox's own. */
export function etcSteps({ hosts, resolvConf }: EtcFiles): Step[] {
  const files = {
    passwd: 'nobody:x:65534:65534:function:/tmp:/nonexistent\n',
    group: 'nogroup:x:65534:\n',
    'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
    hosts,
    'resolv.conf': resolvConf,
  };
  return Object.entries(files).map(([name, content]): Step => ({ kind: 'file', content, target: `/etc/${name}` }));
}

/** Of /proc, what any user may read and tells of the machine or of other users' keys. What only root may read needs no cover. */
const COVERED_FILES = ['interrupts', 'kallsyms', 'key-users', 'keys', 'latency_stats', 'sched_debug', 'softirqs', 'timer_list', 'timer_stats'];
const COVERED_FOLDERS = ['acpi', 'asound', 'scsi'];

/**
 * /proc, /dev and /tmp, and the remounts that must come last: without them the root and /dev would be writable without bound.
 * `proc`: read-only with covers, or `open` for a zygote, since the kernel lets nobody mount a /proc of his own where the one that he sees
 * has covers. Each newborn has its own covered (hearth_zygote/birth.py).
 */
export function closingSteps(tmpBytes: number, proc: 'covered' | 'open' = 'covered'): Step[] {
  return [
    { kind: 'proc', target: '/proc' },
    ...(proc === 'covered' ? procCovers() : []),
    { kind: 'tmpfs', target: '/dev', bytes: MIB, mode: '0755' },
    ...DEVICES.map((name): Step => ({ kind: 'bind', source: `/dev/${name}`, target: `/dev/${name}`, access: 'dev' })),
    { kind: 'symlink', to: '/proc/self/fd', target: '/dev/fd' },
    ...['stdin', 'stdout', 'stderr'].map((name, index): Step => ({ kind: 'symlink', to: `/proc/self/fd/${index}`, target: `/dev/${name}` })),
    { kind: 'tmpfs', target: '/dev/shm', bytes: 16 * MIB, mode: '1777' },
    { kind: 'tmpfs', target: '/tmp', bytes: tmpBytes, mode: '1777' },
    { kind: 'tmpfs', target: FUNCTION_FOLDER, bytes: tmpBytes, mode: '1777' },
    { kind: 'remount-read-only', target: '/dev' },
    { kind: 'remount-read-only', target: '/' },
  ];
}

/** The host's /proc has what the sandbox's will have, apart from processes. */
function procCovers(): Step[] {
  const files = COVERED_FILES.map((name) => `/proc/${name}`).filter(readableByAll);
  const folders = COVERED_FOLDERS.map((name) => `/proc/${name}`).filter((path) => exists(path) && readdirSync(path).length > 0);
  return [
    ...files.map((target): Step => ({ kind: 'bind', source: '/dev/null', target, access: 'dev' })),
    ...folders.flatMap((target): Step[] => [
      { kind: 'tmpfs', target, bytes: 4096, mode: '0555' },
      { kind: 'remount-read-only', target },
    ]),
    { kind: 'remount-read-only', target: '/proc' },
  ];
}

function readableByAll(path: string): boolean {
  return ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o004) !== 0;
}

export function readOnly(source: string, target: string): Step {
  return { kind: 'bind', source, target, access: 'ro' };
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
