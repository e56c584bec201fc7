/**
 * Goes through README.md and docs/tutorial.md as their reader does: every shell block is run, in order, and what it prints is compared with what the page says.
 * Usage: node test/acceptance/follow-pages.ts <control plane URL> <gateway URL> <log of the platform that `scripts/up` has started>
 * The last line is `N passed, N failed`.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep } from '../support/hearth.ts';
import { Terminal } from '../support/terminal.ts';
import { type Block, isAsWritten, patternOf, shellBlocks } from '../support/written-session.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGES = ['README.md', 'docs/tutorial.md'];
/** More than any block takes on a slow machine, the installation of libraries included. */
const TIMEOUT_MS = 180_000;

/** What has started the platform that is there already: not typed again, but its log is to be what the page says. */
const STARTS = 'scripts/up';
/** Goes on in a terminal of its own until its reader stops it, which is at the end of the section. */
const GOES_ON = /^(scripts\/up|hearth dev .*)$/m;
/** Looks, and changes nothing: a reader who is quicker than the platform looks again. */
const LOOKS = /^hearth (dead-letters|invocations list|list|logs|schedules)( (?!redrive|delete|pause|resume|run)\S+)*$/;
/** As the page has the command, on the usual ports. */
const ALIAS = `alias hearth="$PWD/bin/hearth.js"`;

const [api = '', gateway = '', log = ''] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'hearth-pages-'));

/** `hearth` for a platform on other ports. */
const HEARTH = `exec "${process.execPath}" "${join(ROOT, 'bin/hearth.js')}" "$@"`;
const COMMAND = `#!/bin/sh
case "$1" in
  init) ${HEARTH} ;;
  deploy | dev | invoke) ${HEARTH} --api "${api}" --gateway "${gateway}" ;;
  *) ${HEARTH} --api "${api}" ;;
esac
`;
const WRITTEN = { gateway: 'localhost:5000', api: 'localhost:8000' };
const here = (typed: string) =>
  typed
    .replaceAll(ALIAS, `alias hearth="${join(folder, 'hearth')}"`)
    .replaceAll(WRITTEN.gateway, new URL(gateway).host)
    .replaceAll(WRITTEN.api, new URL(api).host);
const there = (printed: string) =>
  printed.replaceAll('\r\n', '\n').replaceAll(gateway, 'http://127.0.0.1:5000').replaceAll(api, 'http://127.0.0.1:8000');

const openTerminal = () => Terminal.open({ cwd: ROOT, env: { ...process.env, HOME: folder, CURL_HOME: folder, NO_COLOR: '1' } });

let passed = 0;
let failed = 0;
const say = (line: string) => process.stdout.write(`${line}\n`);

/** @returns whether what was printed is what the page says */
function check(page: string, { typed, printed }: Block, actual: string): boolean {
  const good = printed === undefined || isAsWritten(there(actual), printed);
  if (good) passed += 1;
  else failed += 1;
  say(`${good ? 'ok   ' : 'FAIL '} ${page}: ${(typed ?? `and then ${printed}`).split('\n', 1)[0]}`);
  const indented = (text: string) => text.trimEnd().replace(/^/gm, '      | ');
  if (!good) say(`      the page says:\n${indented(printed)}\n      printed was:\n${indented(there(actual))}`);
  return good;
}

/** What has been started in a terminal of its own: what it prints by itself, and its end. */
interface Running extends AsyncDisposable {
  says(printed: string): Promise<string>;
}

const THE_PLATFORM: Running = {
  async says(printed) {
    const end = Date.now() + TIMEOUT_MS;
    for (;;) {
      const soFar = await readFile(log, 'utf8');
      // The first start installs libraries before it is up.
      if (isAsWritten(there(soFar), printed) || Date.now() > end) return soFar;
      await sleep(100);
    }
  },
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

function running(typed: string): Running {
  const terminal = openTerminal();
  terminal.start(here(typed));
  return {
    // What it says by itself comes in its own time, perhaps among other lines.
    says: (printed) =>
      terminal.hear((soFar) => {
        const found = new RegExp(`^${patternOf(printed)}`, 'm').exec(there(soFar));
        return found ? [found[0], there(soFar).slice(found.index + found[0].length)] : undefined;
      }, TIMEOUT_MS),
    [Symbol.asyncDispose]: () => terminal[Symbol.asyncDispose](),
  };
}

async function look(terminal: Terminal, typed: string, printed: string): Promise<string> {
  const end = Date.now() + TIMEOUT_MS;
  for (;;) {
    const seen = await terminal.type(here(typed), TIMEOUT_MS);
    if (isAsWritten(there(seen), printed) || Date.now() > end) return seen;
    await sleep(100);
  }
}

/** Goes through a page up to the first block that does something else: those behind it build upon it. */
async function follow(page: string): Promise<void> {
  const blocks = shellBlocks(await readFile(join(ROOT, page), 'utf8'));
  await using stack = new AsyncDisposableStack();
  const terminal = stack.use(openTerminal());
  let other: { section: string; is: Running } | undefined;
  stack.defer(() => other?.is[Symbol.asyncDispose]());

  for (const [at, block] of blocks.entries()) {
    const { section, typed, printed } = block;
    if (other && other.section !== section) {
      await other.is[Symbol.asyncDispose]();
      other = undefined;
    }
    let actual: string;
    if (typed === undefined || GOES_ON.test(typed)) {
      if (typed !== undefined) other = { section, is: typed.trim() === STARTS ? THE_PLATFORM : running(typed) };
      // Where the page shows it later, nothing is to be waited for yet.
      if (printed === undefined) actual = '';
      else actual = other ? await other.is.says(printed) : 'nothing goes on here that could print it';
    } else if (LOOKS.test(typed.trim()) && printed !== undefined) actual = await look(terminal, typed, printed);
    else actual = await terminal.type(here(typed), TIMEOUT_MS);
    if (!check(page, block, actual)) {
      const rest = blocks.length - at - 1;
      failed += rest;
      say(`      ${rest} blocks behind it were not tried`);
      return;
    }
  }
}

try {
  await writeFile(join(folder, 'hearth'), COMMAND, { mode: 0o755 });
  await writeFile(join(folder, '.curlrc'), 'silent\nshow-error\n');
  for (const page of PAGES) await follow(page);
} finally {
  await rm(folder, { recursive: true, force: true });
}
say(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
