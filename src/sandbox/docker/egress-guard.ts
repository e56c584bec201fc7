import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { HearthError } from '../../errors.ts';
import { hostAddresses, shutDestinations } from '../bubblewrap/network.ts';
import { findProgram } from '../find-program.ts';
import { runCommand } from '../run-command.ts';
import type { HostView } from './host-view.ts';

const PATIENCE_MS = 10_000;

/**
 * Shuts to containers what lies on the engine's bridge and is none of theirs: the host's own addresses and the metadata services of clouds. It does so by routes in the
 * container's network namespace, which root on the engine's machine may enter; the container itself may not take them back.
 */
export interface EgressGuard {
  /** Why that can't be had here; undefined when it can. */
  readonly lacking: string | undefined;
  /** @throws HearthError network_unavailable */
  shut(view: HostView | undefined): Promise<void>;
}

export function egressGuard(path: string): EgressGuard {
  const nsenter = findProgram('nsenter', path);
  const ip = findProgram('ip', path);
  const lacking =
    process.getuid?.() !== 0
      ? 'the platform does not run as root'
      : nsenter === undefined
        ? 'nsenter is not on PATH (package util-linux)'
        : ip === undefined
          ? 'ip is not on PATH (package iproute2)'
          : undefined;
  return {
    lacking,
    async shut(view) {
      if (nsenter === undefined || ip === undefined || lacking !== undefined) throw refusal(lacking ?? '');
      if (view === undefined)
        throw refusal("the platform does not see the engine's processes (it runs in a container without the host's pid namespace, or elsewhere)");
      let namespace: number;
      try {
        namespace = openSync(`/proc/${view.pid}/ns/net`, 'r');
      } catch {
        throw refusal('the container has ended');
      }
      try {
        // The process may have ended and its id be somebody else's by now: routes that shut the host must never get into the host's own namespace.
        if (fstatSync(namespace).ino === statSync('/proc/self/ns/net').ino) throw refusal('the container has ended');
        const routes = shutDestinations(hostAddresses()).map(({ address, prefix }) => `route add unreachable ${address}/${prefix}\n`);
        const { code, stderr } = await runCommand(nsenter, ['--net=/proc/self/fd/3', ip, '-batch', '-'], {
          environment: {},
          timeoutMs: PATIENCE_MS,
          stdin: routes.join(''),
          descriptors: [namespace],
        });
        if (code !== 0) throw refusal(stderr.trim().slice(-1000));
      } finally {
        closeSync(namespace);
      }
    },
  };
}

function refusal(why: string): HearthError {
  return new HearthError(
    'network_unavailable',
    `The host's own addresses could not be shut to a container: ${why}. Mode egress promises that; see docs/sandbox.md for what to do, or accept the risk by HEARTH_DOCKER_OPEN_EGRESS=true.`,
  );
}
