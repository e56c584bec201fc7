// Builds the dashboard into dashboard/dist: hashed names, each file beside its compressed forms. Does nothing when it is built from what is there.
// Usage: node dashboard/build.js            build, if need be
//        node dashboard/build.js --check    exit code 1 if need be
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const folder = fileURLToPath(new URL('.', import.meta.url));
const client = join(folder, '../src/client');
const dist = join(folder, 'dist');
const stampFile = join(dist, 'stamp');

const stamp = stampOfSources();
if (readIfThere(stampFile) === stamp) process.exit(0);
if (process.argv.includes('--check')) process.exit(1);

// Only now: where nothing is to be done, nothing needs to be installed.
const { build } = await import('esbuild');
// Built beside and moved: a platform that starts meanwhile finds the old one, or none.
const fresh = `${dist}.${process.pid}`;
rmSync(fresh, { recursive: true, force: true });
mkdirSync(join(fresh, 'assets'), { recursive: true });
const { metafile } = await build({
  absWorkingDir: folder,
  entryPoints: ['src/main.tsx'],
  outdir: join(fresh, 'assets'),
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  target: ['es2022'],
  minify: true,
  metafile: true,
  jsx: 'automatic',
  jsxImportSource: 'preact',
  loader: { '.svg': 'file' },
  publicPath: '/assets/',
  legalComments: 'linked',
  logLevel: 'warning',
});
writeFileSync(join(fresh, 'index.html'), pageOf(metafile));
for (const file of ['index.html', ...readdirSync(join(fresh, 'assets')).map((name) => join('assets', name))]) compress(join(fresh, file));
writeFileSync(join(fresh, 'stamp'), stamp);
rmSync(dist, { recursive: true, force: true });
renameSync(fresh, dist);

/** The template with the names that this build gave: the program, what it loads at once, its styles. */
function pageOf({ outputs }) {
  const [program, { imports, cssBundle }] = Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === 'src/main.tsx');
  const at = (file) => `/assets/${basename(file)}`;
  const preloads = imports.filter(({ kind, external }) => kind === 'import-statement' && !external).map(({ path }) => path);
  const icon = `icon-${createHash('sha256')
    .update(readFileSync(join(folder, 'src/icon.svg')))
    .digest('hex')
    .slice(0, 8)}.svg`;
  writeFileSync(join(fresh, 'assets', icon), readFileSync(join(folder, 'src/icon.svg')));
  const head = [
    `<link rel="icon" href="${at(icon)}" type="image/svg+xml">`,
    `<link rel="stylesheet" href="${at(cssBundle)}">`,
    ...preloads.map((file) => `<link rel="modulepreload" href="${at(file)}">`),
    `<script type="module" src="${at(program)}"></script>`,
  ];
  return readFileSync(join(folder, 'src/index.html'), 'utf8').replace('<!-- built -->', head.join('\n    '));
}

function compress(file) {
  const content = readFileSync(file);
  writeFileSync(
    `${file}.br`,
    brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }),
  );
  writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
}

function stampOfSources() {
  const hash = createHash('sha256');
  const files = [join(folder, 'build.js'), join(folder, 'package-lock.json'), ...filesBelow(join(folder, 'src')), ...filesBelow(client)];
  for (const file of files)
    hash
      .update(`${relative(folder, file)}\0`)
      .update(readFileSync(file))
      .update('\0');
  return hash.digest('hex');
}

function filesBelow(root) {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.includes('.test.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
