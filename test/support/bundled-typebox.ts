import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = fileURLToPath(new URL('../../node_modules', import.meta.url));
/** What src imports of it. */
const ENTRIES = { typebox: 'typebox', compile: 'typebox/compile', value: 'typebox/value' };

/**
 * TypeBox is 683 files, which every file of tests that needs it would read again: they have it bundled into a few, made once for each version. What users install
 * is tried as it is by the packaging and acceptance tests.
 * @returns path of a module for Node.js' `--import`, which has imports of TypeBox lead to the bundle
 */
export async function bundledTypebox(): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(PACKAGES, 'typebox/package.json'), 'utf8')) as { version: string };
  const folder = join(PACKAGES, '.cache/typebox-bundles', version);
  const hook = join(folder, 'import.mjs');
  if (existsSync(hook)) return hook;
  const { rolldown } = await import('rolldown');
  await mkdir(join(folder, '..'), { recursive: true });
  const partial = await mkdtemp(`${folder}-`);
  try {
    const bundle = await rolldown({ input: ENTRIES, cwd: join(PACKAGES, '..'), platform: 'node' });
    await bundle.write({ dir: partial, format: 'esm', entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs' });
    await bundle.close();
    const places = Object.entries(ENTRIES).map(([name, specifier]) => [specifier, `./${name}.mjs`]);
    await writeFile(join(partial, 'import.mjs'), hookOf(places));
    // Somebody else may have been first.
    await rename(partial, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    return hook;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

function hookOf(places: readonly (readonly string[])[]): string {
  return `import { registerHooks } from 'node:module';
const places = new Map(${JSON.stringify(places)}.map(([specifier, place]) => [specifier, new URL(place, import.meta.url).href]));
registerHooks({
  resolve(specifier, context, next) {
    const url = places.get(specifier);
    return url === undefined ? next(specifier, context) : { url, format: 'module', shortCircuit: true };
  },
});
`;
}
