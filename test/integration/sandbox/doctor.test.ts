import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Probe } from '../../../src/sandbox/driver.ts';

const HEARTH = fileURLToPath(new URL('../../../bin/hearth.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'hearth-test-doctor-'));
chmodSync(folder, 0o755);
afterAll(() => rmSync(folder, { recursive: true }));

function doctor(argv: readonly string[], path: string, settings: Record<string, string> = {}) {
  const env = { PATH: path, HEARTH_DATA_DIR: join(folder, 'data'), HEARTH_DOCKER_SOCKET: join(folder, 'no-docker.sock'), ...settings };
  const { status, stdout, stderr } = spawnSync(process.execPath, [HEARTH, 'doctor', ...argv], { env, cwd: folder, encoding: 'utf8' });
  return { status, stdout, stderr };
}

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

describe('hearth doctor', () => {
  it('asks a sandbox what holds in it, and sums it up in a last line', () => {
    const { status, stdout } = doctor([], PATH);
    for (const check of ['sandbox', 'namespaces', 'privileges', 'seccomp', 'files', 'nursery'])
      expect(stdout).toMatch(new RegExp(`^ok +${check}: `, 'm'));
    expect(stdout).toMatch(/^ok +docker engine: none answers at .*no-docker\.sock, and none is needed$/m);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^Isolation: (full|reduced: .+) \(bubblewrap; networks: none/);
    expect(status).toBe(0);
  });

  it('tells which Node.js functions may have, and whether a sandbox of each starts', () => {
    const fake = (name: string, facts: object) => {
      const file = join(folder, name);
      writeFileSync(file, `#!/bin/sh\necho '${JSON.stringify({ executable: file, sharedObjects: [], loader: null, npm: null, ...facts })}'\n`);
      chmodSync(file, 0o755);
      return file;
    };
    const old = fake('old', { version: '20.1.0' });
    const broken = fake('broken', { version: '30.1.0' });
    const none = join(folder, 'none');
    const { status, stdout } = doctor([], PATH, { HEARTH_SANDBOX_NODE: ['auto', old, broken, none].join(',') });
    const [major] = process.versions.node.split('.');
    expect(stdout).toMatch(new RegExp(`^ok +node auto: ${process.versions.node}, /.*, for nodejs and nodejs${major}; (npm \\d|no npm)`, 'm'));
    expect(stdout).toContain(`FAIL  node ${old}: ${old} is Node.js 20.1.0; functions need 22.15 or later. The platform does not start`);
    expect(stdout).toMatch(new RegExp(`^FAIL +node ${broken}: 30\\.1\\.0, .*for nodejs30; no npm.*; no sandbox of it starts: `, 'm'));
    expect(stdout).toMatch(new RegExp(`^FAIL +node ${none}: There is no Node.js '${none}'`, 'm'));
    // What is set and can not work is no machine to start on.
    for (const file of [old, broken, none]) expect(stdout).toContain(`Set, but not to be had here: sandbox.node has ${file}, which can not be used.`);
    expect(status).toBe(1);
  });

  it('says the same to programs', () => {
    const { status, stdout } = doctor(['--json'], PATH);
    const report: { usable: boolean; unusable: string[]; isolation: { level: string; lacking: string[] }; probes: Probe[] } = JSON.parse(stdout);
    expect([report.usable, report.unusable]).toEqual([true, []]);
    const abilities = /^(network egress|pip|agent|node .*)$/;
    const failed = report.probes.filter(({ name, ok }) => !ok && !abilities.test(name)).map(({ name }) => name);
    expect(report.isolation.level).toBe(failed.length === 0 ? 'full' : 'reduced');
    expect(report.isolation.lacking.map((text) => text.split(':')[0])).toEqual(failed);
    expect(status).toBe(0);
  });

  it('exits with 1 where nothing can be isolated, and says what bwrap said and what to do', () => {
    writeFileSync(
      join(folder, 'bwrap'),
      '#!/bin/sh\nif [ "$1" = --version ]; then echo bubblewrap 0.8.0; else echo "bwrap: No permissions to create new namespace" >&2; exit 1; fi\n',
    );
    chmodSync(join(folder, 'bwrap'), 0o755);
    const { status, stdout } = doctor([], `${folder}:${PATH}`);
    expect(stdout).toMatch(/^FAIL +sandbox: .*No permissions to create new namespace/m);
    expect(stdout).toMatch(/^Isolation: none\. .*mend what FAILs above/m);
    expect(status).toBe(1);
  });

  it('refuses a setuid bwrap and names the command that mends it', () => {
    chmodSync(join(folder, 'bwrap'), 0o4755);
    const { status, stdout } = doctor([], `${folder}:${PATH}`);
    expect(stdout).toMatch(/^FAIL +bubblewrap: .*setuid root.*chmod u-s/m);
    expect(status).toBe(1);
  });
});
