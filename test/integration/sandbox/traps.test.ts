import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBubblewrapDriver } from '../../../src/sandbox/bubblewrap/bubblewrap-driver.ts';
import type { Sandbox } from '../../../src/sandbox/driver.ts';
import { driverOptions, Inside, mountPoints, nurseryWith, sandboxSpec } from './support.ts';

/** What sandboxes of others have fallen for: folders on the host whose content somebody else made. */
describe.each(['bubblewrap', 'nursery'])('a layer full of links, in a %s sandbox', (name) => {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-test-traps-'));
  const layer = join(folder, 'layer');
  const secret = join(folder, 'secret');
  const nursery = nurseryWith();
  const bubblewrap = createBubblewrapDriver(driverOptions());
  let before: string;
  let sandbox: Sandbox;
  let inside: Inside;

  beforeAll(async () => {
    chmodSync(folder, 0o755);
    writeFileSync(secret, 'of the host');
    mkdirSync(layer);
    symlinkSync(secret, join(layer, 'absolute'));
    symlinkSync('../../../../../../../../etc/shadow', join(layer, 'climbing'));
    for (const [link, to] of Object.entries({ root: '/', proc: '/proc/1/root', tmp: folder, dev: '/dev', etc: '/etc', runtime: layer })) {
      symlinkSync(to, join(layer, link));
    }
    symlinkSync('loop', join(layer, 'loop'));
    // The platform's own path to a layer may be a link; what it leads to is what is shown.
    symlinkSync(layer, join(folder, 'link-to-layer'));
    before = mountPoints();
    if (name === 'nursery') expect(await nursery.warm([join(folder, 'link-to-layer')])).toBe(true);
    const layers = [join(folder, 'link-to-layer')];
    sandbox = await (name === 'nursery' ? nursery : bubblewrap).create(sandboxSpec('none', { layers }));
    expect(sandbox.driver).toBe(name);
    inside = new Inside(sandbox);
  });
  afterAll(async () => {
    await Promise.all([nursery.close(), bubblewrap.close()]);
    rmSync(folder, { recursive: true });
  });

  it('leads to nothing of the host', async () => {
    const code = `
import os
result = {}
for name in ("absolute", "climbing", "tmp", "loop", "proc${folder}/secret"):
    try:
        result[name] = open("/layers/0/" + name).read() if not os.path.isdir("/layers/0/" + name) else os.listdir("/layers/0/" + name)
    except OSError as e:
        result[name] = e.strerror
result["etc"] = open("/layers/0/etc/passwd").read()
result["root"] = sorted(os.listdir("/layers/0/root")) == sorted(os.listdir("/"))
`;
    expect(await inside.run(code)).toEqual({
      absolute: 'No such file or directory',
      climbing: 'No such file or directory',
      tmp: 'No such file or directory',
      loop: 'Too many levels of symbolic links',
      [`proc${folder}/secret`]: 'No such file or directory',
      etc: 'nobody:x:65534:65534:function:/tmp:/nonexistent\n',
      root: true,
    });
  });

  it('has nothing mounted below it, nor lets itself be written to through its links', async () => {
    const mounts = (await inside.run('result = [line.split()[4] for line in open("/proc/self/mountinfo")]')) as string[];
    expect(mounts.filter((target) => target.startsWith('/layers'))).toEqual(['/layers/0']);
    const code = `
import os
result = []
for name in ("written", "runtime/written", "dev/written", "etc/written", "root/written"):
    try:
        open("/layers/0/" + name, "w").close()
        result.append("written")
    except OSError as e:
        result.append(e.errno)
`;
    expect(await inside.run(code)).toEqual([30, 2, 30, 30, 30]);
  });

  it('leaves the host as it was: no mounts, nothing new beside the layer', async () => {
    sandbox.kill();
    await sandbox.exited;
    expect(mountPoints()).toBe(before);
    expect(readdirSync(folder).sort()).toEqual(['layer', 'link-to-layer', 'secret']);
  });
});

it('a build that leaves links where the platform tidies up takes nothing of the host with it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-test-traps-'));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'precious'));
  writeFileSync(join(folder, 'precious', 'file'), 'kept');
  const driver = createBubblewrapDriver(driverOptions());
  const code = `
import os, shutil
shutil.rmtree("/build/.tmp", ignore_errors=True)
os.symlink("${folder}/precious", "/build/.tmp")
os.symlink("${folder}/precious", "/build/linked")
`;
  try {
    const outputFolder = join(folder, 'out');
    const spec = { id: 'trap', environment: {}, inputs: {}, network: 'none', timeoutMs: 60_000, onOutput: () => undefined } as const;
    expect(await driver.build({ ...spec, argv: ['python', '-c', code], outputFolder })).toEqual({ code: 0, timedOut: false });
    expect(readdirSync(join(folder, 'precious'))).toEqual(['file']);
    expect(readdirSync(outputFolder)).toEqual(['linked']);
    expect(lstatSync(join(outputFolder, 'linked')).isSymbolicLink()).toBe(true);
  } finally {
    await driver.close();
    rmSync(folder, { recursive: true });
  }
});

it('a forked sandbox can make as many files without content as its /tmp has room for others, and no more', async () => {
  const nursery = nurseryWith();
  try {
    expect(await nursery.warm([])).toBe(true);
    const sandbox = await nursery.create(sandboxSpec('none', { tmpBytes: 1024 * 1024 }));
    expect(sandbox.driver).toBe('nursery');
    const code = `
import os
result = {}
for folder in ("/tmp", "/dev/shm"):
    made = 0
    try:
        while made < 20000:
            os.mkdir("%s/%d" % (folder, made))
            made += 1
    except OSError as e:
        result[folder] = [e.errno, made < 8192]
`;
    expect(await new Inside(sandbox).run(code)).toEqual({ '/tmp': [28, true], '/dev/shm': [28, true] });
  } finally {
    await nursery.close();
  }
});
