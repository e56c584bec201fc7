#!/usr/bin/env node
// Plain JavaScript that every Node.js since 14 can read, so that an old one gets a sentence and not a syntax error.
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import module from 'node:module';
import { constants } from 'node:os';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const LEAST = [24, 9];

const own = join(fileURLToPath(new URL('..', import.meta.url)), '.node', 'node_modules', '.bin', 'node');

const [major, minor] = process.versions.node.split('.').map(Number);
if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) {
  // Links are resolved in import.meta.url: a linked checkout counts as a checkout. Node.js runs TypeScript anywhere but below node_modules,
  // so an installed package has it compiled; a checkout always runs its sources, since a dist left over from packing may be stale.
  const installed = fileURLToPath(import.meta.url)
    .split(sep)
    .includes('node_modules');
  if (!installed) keepCompiled(fileURLToPath(new URL('../node_modules', import.meta.url)));
  await import(new URL(installed ? '../dist/cli/main.js' : '../src/cli/main.ts', import.meta.url).href);
} else if (existsSync(own)) {
  // scripts/up has brought the project's own.
  const child = spawn(own, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  // Ctrl-C reaches it from the terminal too: once is enough.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 1;
    if (signal) process.exitCode = 128 + constants.signals[signal];
  });
} else {
  process.stderr.write(
    `hearth: Node.js ${LEAST.join('.')} or newer is needed, this is ${process.versions.node} (${process.execPath}).\n` +
      "        In a checkout, scripts/up brings one of the project's own; otherwise install it: https://nodejs.org/en/download\n",
  );
  process.exitCode = 1;
}

/** Has Node.js keep what it makes of the sources beside the packages: whoever can write there can write the code as well. A folder of somebody else is left alone. */
function keepCompiled(packages) {
  if (statSync(packages, { throwIfNoEntry: false })?.uid !== process.getuid?.()) return;
  const folder = join(packages, '.cache', 'hearth');
  module.enableCompileCache(folder);
  // biome-ignore lint/style/noProcessEnv: threads ask it; child processes get an environment that is put together for them.
  process.env.NODE_COMPILE_CACHE ??= folder;
}
