import { readFile, stat } from 'node:fs/promises';

/** Settings that would contradict how layers are built, or name files that builds don't see. */
const CONTRADICTING = new Set([
  'PIP_CACHE_DIR',
  'PIP_CONSTRAINT',
  'PIP_DRY_RUN',
  'PIP_EDITABLE',
  'PIP_LOG',
  'PIP_NO_COMPILE',
  'PIP_PREFIX',
  'PIP_PYTHON',
  'PIP_REPORT',
  'PIP_REQUIRE_VIRTUALENV',
  'PIP_REQUIREMENT',
  'PIP_ROOT',
  'PIP_SRC',
  'PIP_TARGET',
  'PIP_USER',
]);

/** Settings whose value is a file of certificates on the host. */
const CERTIFICATE_FILES = ['PIP_CERT', 'SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'];
const MAX_CERTIFICATE_BYTES = 4 * 1024 * 1024;

export interface PipEnvironment {
  environment: Record<string, string>;
  /** Files under /input/ that the environment points to. */
  inputs: Record<string, string>;
}

/**
 * The operator's pip settings as they hold inside a build: certificate files come along, since the build sees nothing of the host,
 * and temporary files go to /build, which has room for them.
 */
export async function pipEnvironment(settings: Readonly<Record<string, string>>): Promise<PipEnvironment> {
  const kept = Object.fromEntries(Object.entries(settings).filter(([name]) => !CONTRADICTING.has(name)));
  const { environment, inputs } = await withCertificates(kept, CERTIFICATE_FILES);
  return { environment: { ...environment, HOME: '/build', TMPDIR: '/build', LANG: 'C.UTF-8', PYTHONNOUSERSITE: '1' }, inputs };
}

/** The same variables, with those of these names pointing to copies of the files that they name. */
export async function withCertificates(settings: Readonly<Record<string, string>>, names: readonly string[]): Promise<PipEnvironment> {
  const environment: Record<string, string> = { ...settings };
  const inputs: Record<string, string> = {};
  const copies = new Map<string, string>();
  for (const name of names) {
    const file = environment[name];
    if (file === undefined || file === '') continue;
    let copy = copies.get(file);
    if (copy === undefined) {
      const text = await certificates(file);
      // Left as it is: pip then says itself that there is no such file.
      if (text === undefined) continue;
      copy = `certificates-${copies.size}.pem`;
      copies.set(file, copy);
      inputs[copy] = text;
    }
    environment[name] = `/input/${copy}`;
  }
  return { environment, inputs };
}

async function certificates(file: string): Promise<string | undefined> {
  try {
    const stats = await stat(file);
    return stats.isFile() && stats.size <= MAX_CERTIFICATE_BYTES ? await readFile(file, 'latin1') : undefined;
  } catch {
    return undefined;
  }
}
