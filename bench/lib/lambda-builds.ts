import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CACHE, PROGRAMS } from './folders.ts';
import { runCommand } from './run-command.ts';

/** How a function for one of AWS's runtime clients is built from its folder in bench/programs: a command for sh, in a copy of that folder. What it leaves in `out` is the bundle. */
const BUILDS = {
  'lambda-go': "go mod tidy && mkdir out && CGO_ENABLED=0 go build -ldflags='-s -w' -o out/bootstrap .",
  // What was needed to build the client is not needed to run it.
  'lambda-node': [
    'npm install --no-fund --no-audit --loglevel=error',
    'if npm install-scripts approve aws-lambda-ric; then npm rebuild --foreground-scripts aws-lambda-ric; fi',
    'mkdir -p out/node_modules/aws-lambda-ric out/node_modules/@aws',
    'cp index.mjs package.json out/',
    'cp -r node_modules/aws-lambda-ric/bin node_modules/aws-lambda-ric/dist node_modules/aws-lambda-ric/package.json out/node_modules/aws-lambda-ric/',
    'if [ -d node_modules/@aws/lambda-invoke-store ]; then cp -rL node_modules/@aws/lambda-invoke-store out/node_modules/@aws/; fi',
  ].join(' && '),
} as const;

/** A tar.gz for `POST /bundles`, built once and kept in the cache until its sources change. @throws Error when its tools are not there */
export async function lambdaBundle(name: keyof typeof BUILDS): Promise<Buffer<ArrayBuffer>> {
  const source = join(PROGRAMS, name);
  const hash = createHash('sha256').update(BUILDS[name]);
  for (const file of (await readdir(source)).sort()) hash.update(file).update(await readFile(join(source, file)));
  const archive = join(CACHE, `${name}-${hash.digest('hex').slice(0, 12)}.tar.gz`);
  if (!existsSync(archive)) {
    const folder = `${archive}.part`;
    await rm(folder, { recursive: true, force: true });
    await mkdir(CACHE, { recursive: true });
    await cp(source, folder, { recursive: true });
    try {
      await runCommand('sh', ['-c', `cd "$0" && ${BUILDS[name]} && tar -czf archive -C out .`, folder]);
      await rename(join(folder, 'archive'), archive);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  return readFile(archive);
}
