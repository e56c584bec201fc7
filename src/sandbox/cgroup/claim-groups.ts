import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Group, removeFolder } from './group.ts';
import { codeOf, members, moveTo, write } from './group-files.ts';
import type { Place } from './locate.ts';

export interface Claim {
  places: Record<string, Place>;
  /** By controller: why it bounds nothing, and what to do about it. */
  reasons: Record<string, string>;
  /** Version 2: where the platform has moved itself to, and from where. */
  leaf: { folder: string; from: string; controllers: readonly string[] } | null;
}

export interface ClaimOptions {
  /** By controller. */
  located: Readonly<Record<string, Place | { reason: string }>>;
  /** Begins the names of all groups of this platform. */
  name: string;
  /** The operator has named the parent group: it is made, and nobody is moved out of it. */
  parentIsNamed: boolean;
  pid: number;
}

const PLATFORM_WEIGHT = 1000;
const DELEGATE = 'start the platform as a systemd service with Delegate=yes, or name a cgroup that it may write by sandbox.cgroup_parent';

/** Finds out by trying where groups can be made, and in version 2 sees to the rule that a group with subgroups of that kind has no processes of its own. */
export function claimGroups({ located, name, parentIsNamed, pid }: ClaimOptions): Claim {
  const claim: Claim = { places: {}, reasons: {}, leaf: null };
  const unified: string[] = [];
  let root = '';
  for (const [controller, place] of Object.entries(located)) {
    if ('reason' in place) claim.reasons[controller] = place.reason;
    else if (place.version === 2) {
      unified.push(controller);
      root = place.folder;
    } else {
      const reason = tryPlace(controller, place, name, parentIsNamed);
      if (reason === undefined) claim.places[controller] = place;
      else claim.reasons[controller] = reason;
    }
  }
  if (unified.length > 0) claimUnified(claim, unified, root, { name, parentIsNamed, pid });
  return claim;
}

/**
 * Moves a process to a group of the claim, which an ordinary user may not do from everywhere to everywhere, although it may make groups: version 2 asks for the
 * right to write to a group above both. Where that fails nothing is claimed any more.
 */
export async function tryJoin(claim: Claim, name: string): Promise<void> {
  if (Object.keys(claim.places).length === 0) return;
  const child = spawn('/bin/sh', ['-c', 'read -r _'], { stdio: ['pipe', 'ignore', 'ignore'] });
  child.on('error', () => undefined);
  let group: Group | undefined;
  try {
    group = Group.make(claim.places, `${name}.trial`, { memoryBytes: null, cpu: null, processes: null });
    if (child.pid === undefined || !group.join(child.pid)) throw new Error('there is no process to try with');
  } catch (error) {
    for (const controller of Object.keys(claim.places)) claim.reasons[controller] = because('no process can be moved to a group of ours', error);
    claim.places = {};
  } finally {
    child.kill('SIGKILL');
    await group?.end();
  }
  if (Object.keys(claim.places).length > 0) return;
  yieldGroups(claim);
  claim.leaf = null;
}

/** Gives back what `claimGroups` took, as far as the kernel lets us; only once all groups are gone. */
export function yieldGroups({ leaf }: Pick<Claim, 'leaf'>): void {
  if (leaf === null) return;
  try {
    for (const controller of leaf.controllers) write(leaf.from, 'cgroup.subtree_control', `-${controller}`);
    for (const member of members(leaf.folder)) moveTo(leaf.from, member);
    removeFolder(leaf.folder);
  } catch {
    // Others have groups here still; an empty leaf harms nobody.
  }
}

/** What keeps us from it, or undefined. */
function tryPlace(controller: string, { version, folder }: Place, name: string, make: boolean): string | undefined {
  try {
    if (make) mkdirSync(folder, { recursive: true });
    const trial = `${name}.trial`;
    removeFolder(join(folder, trial));
    const group = Group.make({ [controller]: { version, folder } }, trial, { memoryBytes: 64 * 1024 * 1024, cpu: 1, processes: 64 });
    removeFolder(join(folder, trial));
    return group === undefined ? 'it can not be made' : undefined;
  } catch (error) {
    return because(`no group can be made in ${folder}`, error);
  }
}

function claimUnified(claim: Claim, wanted: readonly string[], root: string, options: Omit<ClaimOptions, 'located'>): void {
  const refuse = (controllers: readonly string[], reason: string) => {
    for (const controller of controllers) claim.reasons[controller] = reason;
  };
  let missing: string[];
  try {
    if (options.parentIsNamed) mkdirSync(root, { recursive: true });
    const there = words(root, 'cgroup.controllers');
    refuse(
      wanted.filter((controller) => !there.includes(controller)),
      `the group ${root} has no such controller (it has: ${there.join(' ') || 'none'}); ${DELEGATE}`,
    );
    const enabled = words(root, 'cgroup.subtree_control');
    missing = wanted.filter((controller) => there.includes(controller) && !enabled.includes(controller));
  } catch (error) {
    refuse(wanted, because(`the group ${root} can not be read`, error));
    return;
  }
  const rest = () => wanted.filter((controller) => claim.reasons[controller] === undefined);
  if (missing.length > 0) {
    const reason = vacate(claim, root, missing, options);
    if (reason !== undefined) refuse(rest(), reason);
    for (const controller of reason === undefined ? missing : []) {
      try {
        write(root, 'cgroup.subtree_control', `+${controller}`);
      } catch (error) {
        claim.reasons[controller] = because(`the group ${root} does not hand on its controller`, error);
      }
    }
  }
  if (claim.leaf !== null && claim.reasons.cpu === undefined) favour(claim.leaf.folder);
  for (const controller of rest()) {
    const place = { version: 2, folder: root } as const;
    const reason = tryPlace(controller, place, options.name, false);
    if (reason === undefined) claim.places[controller] = place;
    else claim.reasons[controller] = reason;
  }
  if (rest().length === 0) {
    yieldGroups(claim);
    claim.leaf = null;
  }
}

/** Moves all processes of the group to a leaf, where that is ours to do. The real root may keep its own. Returns what forbids it. */
function vacate(
  claim: Claim,
  root: string,
  controllers: readonly string[],
  { name, parentIsNamed, pid }: Omit<ClaimOptions, 'located'>,
): string | undefined {
  if (!existsSync(join(root, 'cgroup.type'))) return undefined;
  try {
    const inside = members(root);
    if (inside.length === 0) return undefined;
    const others = inside.filter((member) => member !== pid);
    const isOurs = !parentIsNamed && (others.length === 0 || isContainerRoot(root) || basename(root).endsWith('.service'));
    if (!isOurs) return `the group ${root} has other processes (${others.slice(0, 3).join(', ')}), so it can not have subgroups; ${DELEGATE}`;
    const folder = join(root, `${name}.platform`);
    mkdirSync(folder, { recursive: true });
    claim.leaf = { folder, from: root, controllers };
    for (const member of inside) moveTo(folder, member);
    return undefined;
  } catch (error) {
    return because(`the platform can not move itself to a subgroup of ${root}`, error);
  }
}

/** The platform gets its CPU time however many sandboxes are busy: its weight against the 100 of each of them. */
function favour(leaf: string): void {
  if (existsSync(join(leaf, 'cpu.weight'))) write(leaf, 'cpu.weight', PLATFORM_WEIGHT);
}

/** The root of a cgroup namespace that is not the machine's: all processes in there are the container's. */
function isContainerRoot(root: string): boolean {
  return readFileSync('/proc/self/cgroup', 'utf8').includes('0::/\n') && !existsSync(join(root, '..', 'cgroup.procs'));
}

function words(folder: string, file: string): string[] {
  return readFileSync(join(folder, file), 'utf8').split(/\s+/).filter(Boolean);
}

function because(what: string, error: unknown): string {
  const code = codeOf(error);
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return `${what} (${code}: not writable for this user); ${DELEGATE}`;
  return `${what} (${code ?? (error as Error).message}); ${DELEGATE}`;
}
