import { HearthError } from '../errors.ts';

/** What a layer of Node.js is made of. */
export interface Packages {
  /** Of package.json, what decides about the packages. */
  package: Record<string, unknown>;
  /** package-lock.json; null: there is none. */
  lock: Record<string, unknown> | null;
  /** Whether packages may run their install scripts. */
  scripts: boolean;
}

const GROUPS = ['dependencies', 'optionalDependencies', 'devDependencies', 'peerDependencies'] as const;
/** Members of package.json that decide what is installed, and must agree with the lock file. */
const KEPT = ['name', 'version', ...GROUPS, 'peerDependenciesMeta', 'overrides'];
const PACKAGE_NAME = /^(@[a-z0-9-~][a-z0-9-._~]*\/)?[A-Za-z0-9-~][A-Za-z0-9-._~]*$/;
/** A range, a tag, another package by its name, or an archive on the web. */
const SPECIFIER = /^(npm:(@[\w.~-]+\/)?[\w.~-]+(@[\w.^~<>=|*\s-]+)?|https:\/\/[^\s]+|[\w.^~<>=|*+\s-]*)$/;

/** The requirements of a layer as one text. @param given objects, or their JSON as text @throws HearthError invalid_request that names the member */
export function packagesText(given: { package: unknown; lock: unknown; scripts: boolean }): string {
  const packages: Packages = {
    package: keep(objectOf(given.package, 'package_json')),
    lock: given.lock === undefined ? null : objectOf(given.lock, 'package_lock'),
    scripts: given.scripts,
  };
  check(packages);
  return JSON.stringify(packages);
}

/** Empty when nothing is asked for. */
export function normalisePackages(text: string): string {
  const packages = JSON.parse(text) as Packages;
  const asked = GROUPS.some((group) => Object.keys((packages.package[group] as object | undefined) ?? {}).length > 0);
  return asked ? JSON.stringify(packages) : '';
}

function objectOf(given: unknown, member: string): Record<string, unknown> {
  let value = given;
  if (typeof given === 'string') {
    try {
      value = JSON.parse(given);
    } catch (error) {
      throw invalid(member, `it is no JSON: ${(error as Error).message}.`);
    }
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(member, 'it is no JSON object.');
  return value as Record<string, unknown>;
}

function keep(description: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(KEPT.filter((name) => description[name] !== undefined).map((name) => [name, description[name]]));
}

function check({ package: description, lock }: Packages): void {
  for (const group of GROUPS) {
    const dependencies = description[group];
    if (dependencies === undefined) continue;
    if (typeof dependencies !== 'object' || dependencies === null || Array.isArray(dependencies))
      throw invalid('package_json', `${group} is no object.`);
    for (const [name, specifier] of Object.entries(dependencies)) {
      if (!PACKAGE_NAME.test(name)) throw invalid('package_json', `${group}: "${shorten(name)}" is no name of a package.`);
      if (typeof specifier !== 'string' || !SPECIFIER.test(specifier)) {
        throw invalid(
          'package_json',
          `${group}.${name}: "${shorten(String(specifier))}" is no version, tag or https URL; a layer has no files and no git.`,
        );
      }
    }
  }
  if (lock === null) return;
  const { lockfileVersion, packages } = lock;
  if (typeof lockfileVersion !== 'number' || lockfileVersion < 2 || typeof packages !== 'object' || packages === null) {
    throw invalid('package_lock', 'it is no lock file of npm 7 or later (lockfileVersion 2 or 3).');
  }
  for (const [path, entry] of Object.entries(packages as Record<string, { resolved?: unknown; link?: unknown } | null>)) {
    const { resolved, link } = entry ?? {};
    if (link === true) throw invalid('package_lock', `${shorten(path)} is a link; a layer has no workspaces.`);
    if (resolved !== undefined && !(typeof resolved === 'string' && /^https?:\/\//.test(resolved))) {
      throw invalid('package_lock', `${shorten(path)} comes from "${shorten(String(resolved))}", which is no URL of an archive.`);
    }
  }
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

function invalid(field: string, message: string): HearthError {
  return new HearthError('invalid_request', `${field}: ${message}`, { extra: { errors: [{ field, message }] } });
}
