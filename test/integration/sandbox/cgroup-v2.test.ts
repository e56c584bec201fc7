import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimGroups, tryJoin } from '../../../src/sandbox/cgroup/claim-groups.ts';
import { Group } from '../../../src/sandbox/cgroup/group.ts';
import { members } from '../../../src/sandbox/cgroup/group-files.ts';
import { GroupKeeper } from '../../../src/sandbox/cgroup/group-keeper.ts';
import { parseCgroupMounts } from '../../../src/sandbox/cgroup/proc-files.ts';

/**
 * On a real hierarchy of version 2, with whichever of its controllers this machine doesn't have in version 1: the rules that a group with subgroups obeys are
 * the same for all.
 */
const mount = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8')).find(({ version }) => version === 2)?.mountPoint;
const UNLIMITED = { memoryBytes: null, cpu: null, processes: null };

function words(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split(/\s+/).filter(Boolean);
  } catch {
    return [];
  }
}

const controller = mount === undefined ? undefined : words(join(mount, 'cgroup.controllers')).find((name) => name === 'pids' || name === 'hugetlb');
const isUsable = controller !== undefined && process.getuid?.() === 0;

describe.runIf(isUsable)('groups of version 2', () => {
  const root = mount as string;
  const name = controller as string;
  const enabledBefore = words(join(root, 'cgroup.subtree_control')).includes(name);
  const parent = join(root, `hearth-test-${process.pid}`);
  const prefix = 'hearth-0123456789ab';
  const started: ChildProcess[] = [];

  /** A process in the group `parent`. */
  async function inParent(): Promise<number> {
    const child = spawn('sleep', ['100']);
    await once(child, 'spawn');
    started.push(child);
    writeFileSync(join(parent, 'cgroup.procs'), String(child.pid));
    return child.pid as number;
  }

  function claim(pid: number, parentIsNamed = false) {
    return claimGroups({ located: { [name]: { version: 2, folder: parent } }, name: prefix, parentIsNamed, pid });
  }

  beforeEach(() => {
    if (!enabledBefore) writeFileSync(join(root, 'cgroup.subtree_control'), `+${name}`);
    mkdirSync(parent);
  });
  afterEach(async () => {
    for (const child of started.splice(0)) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    for (const left of readdirSync(parent, { withFileTypes: true })) if (left.isDirectory()) rmdirSync(join(parent, left.name));
    rmdirSync(parent);
  });
  afterAll(() => {
    if (!enabledBefore) writeFileSync(join(root, 'cgroup.subtree_control'), `-${name}`);
  });

  it('are made after the platform has moved itself to a leaf, and it comes back when they are gone', async () => {
    const platform = await inParent();
    const found = claim(platform);
    expect(found).toMatchObject({ places: { [name]: { version: 2, folder: parent } }, reasons: {} });
    expect(members(parent)).toEqual([]);
    expect(members(join(parent, `${prefix}.platform`))).toEqual([platform]);

    const keeper = new GroupKeeper(found, { prefix, limits: { sandbox: UNLIMITED, zygote: UNLIMITED, build: UNLIMITED }, spares: 1 });
    const child = spawn('sh', ['-c', 'setsid sleep 100 & setsid sleep 100 & wait']);
    started.push(child);
    await once(child, 'spawn');
    expect(keeper.join(1, 'sandbox', child.pid as number)).toBe(true);
    expect(members(join(parent, `${prefix}-0`))).toContain(child.pid);
    expect(await keeper.end(1)).toEqual({ oomKills: 0, removed: true });
    await keeper.close();

    expect(members(parent)).toEqual([platform]);
    expect(readdirSync(parent).filter((entry) => entry.startsWith('hearth-'))).toEqual([]);
  });

  it('are refused where processes of others share the group, which are left where they are', async () => {
    const platform = await inParent();
    const other = await inParent();
    const found = claim(platform);
    expect(found.places).toEqual({});
    expect(found.reasons[name]).toMatch(new RegExp(`has other processes \\(${other}\\).*Delegate=yes`));
    expect(members(parent).sort()).toEqual([platform, other].sort());
  });

  it('are made in a group that the operator has named, if nobody is in there', async () => {
    const found = claim(process.pid, true);
    expect(found).toMatchObject({ places: { [name]: { folder: parent } }, leaf: null });
    const platform = await inParent().catch((error: NodeJS.ErrnoException) => error.code);
    expect(platform).toBe('EBUSY');
  });

  it('kill everything that is in them at their end, forks under way included', async () => {
    const found = claim(process.pid, true);
    const group = Group.make(found.places, `${prefix}-7`, UNLIMITED);
    const folder = join(parent, `${prefix}-7`);
    const child = spawn('sh', ['-c', 'while :; do sh -c "setsid sleep 100 &" ; done']);
    started.push(child);
    await once(child, 'spawn');
    group.join(child.pid as number);
    while (members(folder).length < 10) await new Promise((resolve) => setTimeout(resolve, 5));
    const all = members(folder);
    expect(await group.end()).toBe(true);
    expect(existsSync(folder)).toBe(false);
    const alive = all.filter((pid) =>
      /^State:\t[^ZX]/m.test(words(`/proc/${pid}/status`).length > 0 ? readFileSync(`/proc/${pid}/status`, 'utf8') : ''),
    );
    expect(alive).toEqual([]);
  });

  it('are given up where no process can be moved to them, and the platform goes back to where it was', async () => {
    const platform = await inParent();
    const found = claim(platform);
    await tryJoin(found, prefix);
    expect(found.places).toHaveProperty(name);
    // The leaf is there already; what is made after it is refused, as the kernel refuses strangers' moves.
    writeFileSync(join(parent, 'cgroup.max.descendants'), '1');
    await tryJoin(found, prefix);
    expect(found).toMatchObject({ places: {}, leaf: null, reasons: { [name]: expect.stringMatching(/no process can be moved to a group of ours/) } });
    expect(members(parent)).toEqual([platform]);
    expect(readdirSync(parent).filter((entry) => entry.startsWith('hearth-'))).toEqual([]);
  });

  it('have no controller that the group above does not hand on, and say so', () => {
    const found = claimGroups({ located: { memory: { version: 2, folder: parent } }, name: prefix, parentIsNamed: true, pid: process.pid });
    const has = words(join(parent, 'cgroup.controllers')).includes('memory');
    if (has) expect(found.places).toHaveProperty('memory');
    else expect(found.reasons.memory).toMatch(/has no such controller \(it has: .*\); start the platform as a systemd service with Delegate=yes/);
  });
});
