import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Plugin } from 'rolldown';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SOURCES = join(ROOT, 'src');
const ENTRY = join(SOURCES, 'cli/main.ts');
const BUNDLES = join(ROOT, '.cache/test-bundles');
/** They look for files of theirs, or start threads. */
const AS_THEY_ARE = [/^@opentelemetry\//, /^@fastify\/swagger-ui$/, /^pino$/, /^pino-pretty$/, /^acorn$/];
/** A platform that runs may read its last files late. */
const KEEP_MS = 3600_000;

/**
 * Reading some 1,500 modules is a third of what a start of the platform takes, and a run of the tests makes hundreds of starts: those that tests make read sources and
 * packages from a few files, made when a source has changed. Threads, and what is looked for beside a source, are found where they are. The platform as users
 * start it is tried by the tests of packaging and of acceptance, and by those that run `bin/hearth.js` by themselves.
 * @returns arguments of Node.js that have `bin/hearth.js` lead to the bundle
 */
export async function platformImports(): Promise<string[]> {
  return [`--import=${await bundledPlatform()}`];
}

async function bundledPlatform(): Promise<string> {
  const folder = join(BUNDLES, stateOfSources());
  const hook = join(folder, 'import.mjs');
  if (existsSync(hook)) return hook;
  const { rolldown } = await import('rolldown');
  await mkdir(BUNDLES, { recursive: true });
  await removeOld();
  const partial = await mkdtemp(`${folder}-`);
  try {
    const bundle = await rolldown({ input: { main: ENTRY }, cwd: ROOT, platform: 'node', external: AS_THEY_ARE, plugins: [PLACES] });
    await bundle.write({ dir: partial, format: 'esm', entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs', keepNames: true });
    await bundle.close();
    await writeFile(join(partial, 'import.mjs'), HOOK);
    // Somebody else may have been first.
    await rename(partial, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    return hook;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Has what a module finds by its own place be found, although the module is elsewhere now. */
const PLACES: Plugin = {
  name: 'places',
  transform(code, id) {
    if (id.startsWith(SOURCES))
      return code.includes('import.meta.url') ? code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href)) : null;
    if (!/\b__(dirname|filename)\b/.test(code)) return null;
    return `const __dirname = ${JSON.stringify(dirname(id))}, __filename = ${JSON.stringify(id)};${code}`;
  },
};

const HOOK = `import { registerHooks } from 'node:module';
const bundle = new URL('main.mjs', import.meta.url).href;
registerHooks({
  resolve(specifier, context, next) {
    return specifier === ${JSON.stringify(pathToFileURL(ENTRY).href)} ? { url: bundle, format: 'module', shortCircuit: true } : next(specifier, context);
  },
});
`;

/** Changes whenever a file does that the bundle is made of. */
function stateOfSources(): string {
  const hash = createHash('sha256').update(ROOT);
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  for (const path of [...files.sort().map((file) => join(SOURCES, file)), join(ROOT, 'package-lock.json'), fileURLToPath(import.meta.url)]) {
    const { mtimeMs, size } = statSync(path);
    hash.update(`${path} ${mtimeMs} ${size}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

async function removeOld(): Promise<void> {
  for (const name of await readdir(BUNDLES)) {
    const folder = join(BUNDLES, name);
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > KEEP_MS) await rm(folder, { recursive: true, force: true });
  }
}
