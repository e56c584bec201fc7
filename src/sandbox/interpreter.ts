import { HearthError } from '../errors.ts';
import { findProgram } from './find-program.ts';
import { runCommand } from './run-command.ts';

export interface Pip {
  /** `package`: a folder that holds the package `pip`; `wheel`: a wheel file, importable as it is. */
  kind: 'package' | 'wheel';
  path: string;
  version: string;
}

/** What a sandbox must hold for this interpreter to run, as it says itself. All paths are real paths. */
export interface Interpreter {
  executable: string;
  /** major, minor, patch. */
  version: readonly [number, number, number];
  basePrefix: string;
  standardLibraries: readonly string[];
  /** Where the host's own libraries lie; sandboxes don't see them. */
  sitePackages: readonly string[];
  /** Shared objects that it had mapped after it loaded the extension modules of its standard library. */
  sharedObjects: readonly string[];
  /** PT_INTERP of the executable (not resolved): the dynamic loader's path; null for a static one. */
  loader: string | null;
  pip: Pip | null;
  /** Where its OpenSSL looks for certificates and configuration; links are not resolved. */
  openssl: readonly string[];
}

/** The versions that the agent is written for and tested on. */
const SUPPORTED_PYTHON = { from: [3, 9], to: [3, 14] } as const;

const FACTS = String.raw`
import glob, importlib, json, os, re, struct, sys, sysconfig
for name in ("ssl", "ctypes", "sqlite3", "hashlib", "bz2", "lzma", "zlib", "decimal", "socket", "select", "uuid", "readline",
             "curses", "dbm.gnu", "multiprocessing", "asyncio", "unicodedata", "xml.parsers.expat", "compression.zstd"):
    try:
        importlib.import_module(name)
    except Exception:
        pass
real = os.path.realpath
def loader(path):
    with open(path, "rb") as f:
        head = f.read(64)
        if head[:4] != b"\x7fELF" or head[4] != 2:
            return None
        order = "<" if head[5] == 1 else ">"
        offset = struct.unpack_from(order + "Q", head, 32)[0]
        size, count = struct.unpack_from(order + "HH", head, 54)
        for index in range(count):
            f.seek(offset + index * size)
            entry = f.read(size)
            if struct.unpack_from(order + "I", entry)[0] == 3:
                at, length = struct.unpack_from(order + "Q", entry, 8)[0], struct.unpack_from(order + "Q", entry, 32)[0]
                f.seek(at)
                return f.read(length).rstrip(b"\0").decode()
    return None
objects = set()
try:
    with open("/proc/self/maps") as maps:
        for line in maps:
            parts = line.split(None, 5)
            if len(parts) == 6 and parts[5].startswith("/") and re.search(r"\.so(\.|$)|/ld-", parts[5]):
                objects.add(real(parts[5].strip()))
except OSError:
    pass
pip = None
try:
    import pip as module
    pip = {"kind": "package", "path": os.path.dirname(real(module.__file__)), "version": module.__version__}
except Exception:
    bundled = []
    try:
        import ensurepip
        bundled = glob.glob(os.path.join(os.path.dirname(ensurepip.__file__), "_bundled", "pip-*.whl"))
    except Exception:
        pass
    for wheel in bundled + glob.glob("/usr/share/python-wheels/pip-*.whl"):
        pip = {"kind": "wheel", "path": real(wheel), "version": os.path.basename(wheel).split("-")[1]}
        break
certificates = []
try:
    import ssl
    paths = ssl.get_default_verify_paths()
    certificates = [paths.openssl_cafile, paths.openssl_capath, os.path.join(os.path.dirname(paths.openssl_capath), "openssl.cnf")]
except Exception:
    pass
executable = real(getattr(sys, "_base_executable", None) or sys.executable)
print(json.dumps({
    "executable": executable,
    "version": list(sys.version_info[:3]),
    "basePrefix": real(sys.base_prefix),
    "standardLibraries": sorted({real(sysconfig.get_path("stdlib")), real(sysconfig.get_path("platstdlib")), real(os.path.dirname(os.__file__))}),
    "sitePackages": sorted({real(p) for p in [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")] + sys.path if re.search(r"/(site|dist)-packages/?$", p)}),
    "sharedObjects": sorted(objects),
    "loader": loader(executable) if sys.platform == "linux" else None,
    "pip": pip,
    "openssl": [path for path in certificates if os.path.exists(path)],
}))
`;

/**
 * Asks the interpreter about itself. Isolated (-I), so that neither the working directory nor the operator's PYTHON* variables answer.
 * @throws HearthError sandbox_unavailable
 */
export async function inspectInterpreter(python: string, path: string): Promise<Interpreter> {
  const file = findProgram(python, path);
  if (file === undefined) {
    throw new HearthError(
      'sandbox_unavailable',
      `There is no Python interpreter '${python}' on PATH (${path}). Install Python 3.9 to 3.14 or name one.`,
    );
  }
  const result = await runCommand(file, ['-I', '-B', '-c', FACTS], { environment: { PATH: path }, timeoutMs: 30_000 });
  if (result.code !== 0) {
    throw new HearthError('sandbox_unavailable', `The Python interpreter ${file} does not run: ${result.stderr.trim().slice(-2000)}`);
  }
  return JSON.parse(result.stdout) as Interpreter;
}

/** Why this version can't be used; undefined when it can. */
export function unsupportedVersion(interpreter: Interpreter): string | undefined {
  const [major, minor] = interpreter.version;
  const { from, to } = SUPPORTED_PYTHON;
  if (major === 3 && minor >= from[1] && minor <= to[1]) return undefined;
  return `${interpreter.executable} is Python ${interpreter.version.join('.')}; Hearth's runtime needs ${from.join('.')} to ${to.join('.')}.`;
}
