#!/usr/bin/env node
// Plain JavaScript that every Node.js since 14 can read, so that an old one gets a sentence and not a syntax error.
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const LEAST_MAJOR = 24;

if (Number.parseInt(process.versions.node, 10) < LEAST_MAJOR) {
  process.stderr.write(
    `hearth: Node.js ${LEAST_MAJOR} or newer is needed, this is ${process.versions.node} (${process.execPath}).\n` +
      "        In a checkout, scripts/up brings one of the project's own; otherwise install it: https://nodejs.org/en/download\n",
  );
  process.exitCode = 1;
} else {
  // Links are resolved in import.meta.url: a linked checkout counts as a checkout. Node.js runs TypeScript anywhere but below node_modules,
  // so an installed package has it compiled; a checkout always runs its sources, since a dist left over from packing may be stale.
  const installed = fileURLToPath(import.meta.url)
    .split(sep)
    .includes('node_modules');
  await import(new URL(installed ? '../dist/cli/main.js' : '../src/cli/main.ts', import.meta.url).href);
}
