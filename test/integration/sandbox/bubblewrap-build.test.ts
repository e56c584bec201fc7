import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBubblewrapDriver } from '../../../src/sandbox/bubblewrap/bubblewrap-driver.ts';
import type { BuildSpec, SandboxDriver } from '../../../src/sandbox/driver.ts';
import { createProcessDriver } from '../../../src/sandbox/process/process-driver.ts';
import { driverOptions, IS_ROOT, processesOfUsers } from './support.ts';

/** Makes a wheel and installs it with pip: a whole build that needs no network. */
const MAKE_AND_INSTALL = `
import subprocess, sys, tempfile, zipfile, os
folder = tempfile.mkdtemp()
wheel = os.path.join(folder, "greeting-1.0-py3-none-any.whl")
with zipfile.ZipFile(wheel, "w") as archive:
    archive.writestr("greeting.py", "text = 'installed'")
    archive.writestr("greeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: greeting\\nVersion: 1.0\\n")
    archive.writestr("greeting-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    archive.writestr("greeting-1.0.dist-info/RECORD", "")
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--no-index", "--no-cache-dir", "--target", sys.argv[1], wheel]))
`;

const BASE = 1_920_000_000;

describe.each([
  ['bubblewrap', createBubblewrapDriver],
  ['process', createProcessDriver],
] as const)('a build by the %s driver', (_, create) => {
  let driver: SandboxDriver;
  let folder: string;
  let count = 0;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-test-build-'));
    chmodSync(folder, 0o755);
    driver = create(driverOptions({ uidBase: BASE }));
  });
  afterAll(async () => {
    await driver.close();
    rmSync(folder, { recursive: true });
  });

  async function build(argv: string[], spec: Partial<BuildSpec> = {}) {
    const outputFolder = join(folder, `out-${count++}`);
    let output = '';
    const onOutput = (chunk: Buffer) => {
      output += chunk.toString();
    };
    const base: BuildSpec = { id: 'build', argv, environment: {}, outputFolder, inputs: {}, network: 'none', timeoutMs: 60_000, onOutput };
    const result = await driver.build({ ...base, ...spec });
    return { ...result, output, outputFolder };
  }

  it('installs with pip into the output folder and leaves nothing else there', async () => {
    const built = await build(['python', '/input/make.py', '/build/site'], { inputs: { 'make.py': MAKE_AND_INSTALL } });
    expect(built.output).toContain('Successfully installed greeting-1.0');
    expect(built).toMatchObject({ code: 0, timedOut: false });
    expect(readdirSync(built.outputFolder)).toEqual(['site']);
    expect(readFileSync(join(built.outputFolder, 'site', 'greeting.py'), 'utf8')).toBe("text = 'installed'");
    expect(statSync(built.outputFolder).mode & 0o777).toBe(0o755);
  });

  it('reports the exit code of a command that fails, and all of its output', async () => {
    const built = await build(['python', '-c', 'import sys; print("x" * 300000); sys.stderr.write("bad\\n"); sys.exit(7)']);
    expect(built).toMatchObject({ code: 7, timedOut: false });
    expect(built.output.replace('bad\n', '')).toBe(`${'x'.repeat(300_000)}\n`);
    expect(built.output).toContain('bad\n');
  });

  it('is killed at its timeout, with all of its processes', async () => {
    const built = await build(
      [
        'python',
        '-c',
        'import subprocess, sys, time; subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True); time.sleep(1000)',
      ],
      {
        timeoutMs: 1000,
      },
    );
    expect(built).toMatchObject({ code: null, timedOut: true });
    expect(processesOfUsers(BASE - 1, BASE)).toEqual([]);
  });

  it('is killed when it is aborted', async () => {
    const abort = new AbortController();
    // Aborts once the command has said that it runs.
    const onOutput = () => abort.abort();
    const argv = ['python', '-c', 'import time; print("running", flush=True); time.sleep(1000)'];
    expect(await build(argv, { signal: abort.signal, onOutput })).toMatchObject({ code: null, timedOut: false });
    expect(processesOfUsers(BASE - 1, BASE)).toEqual([]);
  });

  it('starts nothing when it is aborted already', async () => {
    const built = await build(['python', '-c', 'print("running")'], { signal: AbortSignal.abort() });
    expect(built).toMatchObject({ code: null, timedOut: false, output: '' });
    expect(existsSync(built.outputFolder)).toBe(false);
  });

  it('has the environment that was asked for', async () => {
    const built = await build(['python', '-c', 'import os; print(os.environ["GREETING"], "VITEST" in os.environ)'], {
      environment: { GREETING: 'hello' },
    });
    expect(built.output).toBe('hello False\n');
  });

  it('refuses an output folder that holds something', async () => {
    const outputFolder = join(folder, 'full');
    mkdirSync(outputFolder);
    writeFileSync(join(outputFolder, 'file'), '');
    await expect(build(['python', '-V'], { outputFolder })).rejects.toMatchObject({ code: 'sandbox_unavailable' });
    expect(existsSync(join(outputFolder, 'file'))).toBe(true);
  });

  it('refuses inputs that are paths', async () => {
    await expect(build(['python', '-V'], { inputs: { '../etc/passwd': '' } })).rejects.toMatchObject({ code: 'sandbox_unavailable' });
  });
});

describe('a build in bubblewrap', () => {
  it('writes to /build, /tmp and /dev/shm only, as a user of its own', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hearth-test-build-'));
    chmodSync(folder, 0o755);
    const driver = createBubblewrapDriver(driverOptions({ uidBase: BASE }));
    let output = '';
    const code = `
import os
for folder in ["/", "/input", "/build", "/tmp", "/dev", "/dev/shm", "/pip", "/etc", "/usr"]:
    try:
        open(folder + "/new", "w").close()
        print(folder)
    except OSError:
        pass
`;
    const onOutput = (chunk: Buffer) => {
      output += chunk.toString();
    };
    const outputFolder = join(folder, 'out');
    await driver.build({
      id: 'b',
      argv: ['python', '-c', code],
      environment: {},
      outputFolder,
      inputs: {},
      network: 'none',
      timeoutMs: 60_000,
      onOutput,
    });
    expect(output).toBe('/build\n/tmp\n/dev/shm\n');
    if (IS_ROOT) expect(statSync(join(outputFolder, 'new')).uid).toBe(BASE - 1);
    await driver.close();
    rmSync(folder, { recursive: true });
  });
});
