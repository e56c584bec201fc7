import { execFile } from 'node:child_process';
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hearthCommand } from '../../support/hearth-command.ts';

const run = promisify(execFile);

describe('hearth install', () => {
  let root: string;
  const unit = () => join(root, 'etc/systemd/system/hearth.service');
  const settings = () => join(root, 'etc/hearth/hearth.env');
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'hearth-install-'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it('shows every step, and does none, when it is asked to', async () => {
    const { code, stdout } = await hearthCommand(['install', '--dry-run', '--root', root]);
    expect(code).toBe(0);
    expect(stdout).toContain(`write ${unit()}, mode 0644, owner root:root`);
    expect(stdout).toContain(`write ${settings()}, mode 0640, owner root:hearth, unless it is there`);
    await expect(stat(join(root, 'etc'))).rejects.toThrow('ENOENT');
  });

  it('writes settings, data folder and a unit that runs this very installation', async () => {
    expect(await hearthCommand(['install', '--root', root])).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(unit(), 'utf8')).toMatch(
      new RegExp(`^ExecStart="?${process.execPath.replaceAll('.', '\\.')}"? \\S+/bin/hearth\\.js"? up$`, 'm'),
    );
    expect((await stat(settings())).mode & 0o777).toBe(0o640);
    expect((await stat(join(root, 'var/lib/hearth'))).mode & 0o777).toBe(0o711);
  });

  it('makes a unit that systemd finds no fault with, and that leaves the platform little', async () => {
    const { stderr } = await run('systemd-analyze', ['verify', '--man=no', unit()]);
    expect(stderr.split('\n').filter((line) => line.includes('hearth'))).toEqual([]);
    // Exits with 1 above the threshold: 4 of 10 points, where 10 is no protection at all.
    const { stdout } = await run('systemd-analyze', ['security', '--offline=true', '--no-pager', '--threshold=40', unit()]);
    expect(stdout).toContain('Overall exposure level for hearth.service');
  });

  it("is the upgrade when it is run again: the operator's settings stay, the unit is the new one", async () => {
    await appendFile(settings(), 'HEARTH_GATEWAY_PORT=8080\n');
    const before = await readFile(settings(), 'utf8');
    const made = await readFile(unit(), 'utf8');
    await writeFile(unit(), '[Service]\nExecStart=/of/an/older/version\n');
    expect(await hearthCommand(['install', '--root', root])).toMatchObject({ code: 0 });
    expect(await readFile(settings(), 'utf8')).toBe(before);
    expect(await readFile(unit(), 'utf8')).toBe(made);
    const { stdout } = await hearthCommand(['install', '--root', root]);
    expect(stdout).not.toMatch(/^done/m);
  });

  it('is taken back by uninstall, which keeps data and settings unless it is told to purge', async () => {
    await writeFile(join(root, 'var/lib/hearth/hearth.db'), 'data');
    expect(await hearthCommand(['uninstall', '--root', root])).toMatchObject({ code: 0 });
    await expect(stat(unit())).rejects.toThrow('ENOENT');
    expect(await readFile(join(root, 'var/lib/hearth/hearth.db'), 'utf8')).toBe('data');
    expect((await stat(settings())).isFile()).toBe(true);

    expect(await hearthCommand(['uninstall', '--purge', '--root', root])).toMatchObject({ code: 0 });
    await expect(stat(join(root, 'var/lib/hearth'))).rejects.toThrow('ENOENT');
    await expect(stat(join(root, 'etc/hearth'))).rejects.toThrow('ENOENT');
  });
});
