import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goFlags } from '../../support/go-flags.ts';
import { Hearth } from '../../support/hearth.ts';
import { differenceOf } from './case.ts';
import { CHAPTERS } from './chapters.ts';
import { Probe } from './probe.ts';
import { conformancePage, PAGE } from './table.ts';
import { codeOf, ECHOES, folderOf, nameOf, PROBES, WAYS, type Way } from './ways.ts';

let hearth: Hearth;

/** @returns the hash of a bundle of its binary, which is called bootstrap */
async function buildGo(folder: string): Promise<string> {
  const run = promisify(execFile);
  const work = await mkdtemp(join(tmpdir(), 'hearth-go-'));
  try {
    const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: goFlags() };
    await run('go', ['build', '-ldflags=-s -w', '-o', join(work, 'bootstrap'), '.'], { cwd: folder, env });
    await run('tar', ['-czf', join(work, 'bundle.tar.gz'), '-C', work, 'bootstrap']);
    const response = await fetch(`${hearth.api}/bundles`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/gzip' },
      body: await readFile(join(work, 'bundle.tar.gz')),
    });
    return ((await response.json()) as { bundle: string }).bundle;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function register(way: Way): Promise<void> {
  const { settings } = PROBES[way];
  const isProgram = settings.style === 'server' || settings.style === 'lambda';
  const common = { environment: { GREETING: 'hello' }, secrets: ['API_TOKEN'], ...(isProgram ? {} : { invokes: ['callee'] }) };
  for (const [suffix, own] of [
    ['', {}],
    ['-slow', { timeout_ms: 2000 }],
    ['-small', { memory_mb: 128 }],
  ] as const) {
    if (ECHOES.includes(way) && suffix !== '') continue;
    const name = `${nameOf(way)}${suffix}`;
    const definition = { event_type: `http|*|/${name}/:id/*`, ...common, ...settings, ...own };
    if (way !== 'aws-lambda-go') await hearth.define(name, codeOf(way), definition);
    else {
      const response = await hearth.post('/functions', { function_name: name, bundle: await buildGo(folderOf(way)), ...definition });
      expect(response.status, await response.text()).toBe(200);
    }
  }
}

beforeAll(async () => {
  hearth = await Hearth.start({
    requirements: 'pika==1.3.2\n',
    settings: {
      HEARTH_SANDBOX_NETWORK: 'none',
      HEARTH_SANDBOX_EXTRA_BINDS: '/bin/sh,/usr/bin/curl,/usr/bin/sed,/usr/bin/tr,/usr/lib/x86_64-linux-gnu,/usr/lib/aarch64-linux-gnu',
    },
  });
  await fetch(`${hearth.api}/secrets/API_TOKEN`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: '{"value":"the-secret-value"}',
  });
  await hearth.define('callee', 'def handler(message, context):\n    return {"twice": message["body"]["number"] * 2}');
  await Promise.all(WAYS.map(register));
});
afterAll(() => hearth?.[Symbol.asyncDispose]());

describe.each(CHAPTERS)('$title', ({ ways, cases }) => {
  test.each(cases)('$name', async (one) => {
    const problems = await Promise.all(
      ways.map(async (way) => {
        const probe = new Probe(way, hearth);
        const difference = differenceOf(one, way);
        if (difference && !difference.holds) return [];
        try {
          const found = await one.ask(probe);
          (difference?.holds ?? one.holds)(found, probe);
          return [];
        } catch (error) {
          return [`${way}${difference ? ' (which differs)' : ''}: ${(error as Error).message}`];
        }
      }),
    );
    expect(problems.flat().join('\n')).toBe('');
  });
});

test('docs/conformance.md has the table that these cases make', () => {
  expect(readFileSync(PAGE, 'utf8'), 'write it by node scripts/lib/write-conformance.js').toBe(conformancePage());
});
