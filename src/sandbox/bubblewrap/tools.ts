import { accessSync, constants, statSync } from 'node:fs';
import { findProgram } from '../find-program.ts';
import type { EgressTools } from './network.ts';
import type { StageTools } from './stage.ts';

/** Programs found on this machine; undefined is missing. */
export interface Tools {
  bwrap: string | undefined;
  slirp4netns: string | undefined;
  nsenter: string | undefined;
  ip: string | undefined;
  unshare: string | undefined;
  setpriv: string | undefined;
}

export function findTools(path: string): Tools {
  const find = (name: string) => findProgram(name, path);
  return {
    bwrap: find('bwrap'),
    slirp4netns: find('slirp4netns'),
    nsenter: find('nsenter'),
    ip: find('ip'),
    unshare: find('unshare'),
    setpriv: find('setpriv'),
  };
}

export function stageTools({ unshare, setpriv }: Tools): StageTools | undefined {
  return unshare === undefined || setpriv === undefined ? undefined : { unshare, setpriv };
}

const TUN = '/dev/net/tun';

/** The tools of network mode egress, or why it can't be had and what to do. */
export function egressTools({ slirp4netns, nsenter, ip }: Tools, isRoot: boolean, python: string): EgressTools | string {
  if (slirp4netns === undefined) return 'slirp4netns is missing; install the package slirp4netns';
  if (ip === undefined) return 'ip is missing; install the package iproute2';
  if (isRoot && nsenter === undefined) return 'nsenter is missing; install the package util-linux';
  const enterWith = isRoot && nsenter !== undefined ? ({ kind: 'nsenter', path: nsenter } as const) : ({ kind: 'python', path: python } as const);
  const tun = statSync(TUN, { throwIfNoEntry: false });
  if (tun === undefined) return `${TUN} does not exist; load the kernel's module: modprobe tun`;
  const openToOthers = (tun.mode & 0o006) === 0o006;
  if (isRoot) return { slirp4netns, ip, enterWith, runAs: openToOthers ? 'sandbox' : 'root' };
  if (!openToOthers && !mayOpen(TUN)) return `${TUN} may be opened by root only; chmod 0666 ${TUN} is safe and is the default of udev`;
  return { slirp4netns, ip, enterWith, runAs: 'sandbox' };
}

function mayOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
