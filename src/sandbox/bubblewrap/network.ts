import { spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { HearthError } from '../../errors.ts';
import type { NetworkMode, StreamListen } from '../driver.ts';
import { runCommand } from '../run-command.ts';
import type { NamespaceInit } from './launch.ts';
import type { EtcFiles } from './root-filesystem.ts';

/** slirp4netns' own resolver inside the sandbox's network; it forwards to the host's. */
export const RESOLVER = '10.0.2.3';

/**
 * What looks like the outside and is the machine's own: metadata services of clouds, which give its identity to whoever asks from it. Link-local
 * ones (most clouds), Alibaba's, Azure's (its resolver too, which is still asked by way of ours) and Oracle's older one. Those at IPv6 addresses can't be
 * reached: IPv6 doesn't leave the sandbox.
 */
const METADATA: readonly Destination[] = [
  { address: '169.254.0.0', prefix: 16 },
  { address: '100.100.100.200', prefix: 32 },
  { address: '168.63.129.16', prefix: 32 },
  { address: '192.0.0.192', prefix: 32 },
];

const PATIENCE_MS = 10_000;

/** An IPv4 network. */
export interface Destination {
  address: string;
  /** Bits. */
  prefix: number;
}

export interface EgressTools {
  slirp4netns: string;
  ip: string;
  /** How `ip` gets into the sandbox's namespaces: as root with nsenter, otherwise with the platform's own Python. */
  enterWith: { kind: 'nsenter' | 'python'; path: string };
  /**
   * `sandbox`: as the sandbox's user, entering its user namespace; `root`: as root, where only root may open /dev/net/tun.
   */
  runAs: 'sandbox' | 'root';
}

export interface Egress {
  /** Resolves when slirp4netns is gone. Never rejects. */
  exited: Promise<void>;
  stop(): void;
}

/**
 * Gives a sandbox the outside world: slirp4netns carries its connections, and routes in its namespace shut what slirp4netns alone would
 * leave open: the host's own addresses, the metadata services of clouds, and every port but DNS on the forwarding resolver.
 * `holes`: `closed` when the sandbox has set these routes itself already.
 * @throws HearthError network_unavailable; then nothing is left running
 */
export async function startEgress(
  tools: EgressTools,
  init: NamespaceInit,
  uid: number | undefined,
  holes: 'open' | 'closed' = 'open',
): Promise<Egress> {
  const opened: number[] = [];
  let slirp: Slirp | undefined;
  try {
    await loopbackUp(init);
    const network = openNamespace(init, 'net', opened);
    if (init.networkNamespace !== undefined && fstatSync(network).ino !== init.networkNamespace) throw new Error('the sandbox is gone');
    if (fstatSync(network).ino === statSync('/proc/self/ns/net').ino) throw new Error("the sandbox has the host's network namespace");
    const user = tools.runAs === 'sandbox' ? openNamespace(init, 'user', opened) : undefined;
    slirp = spawnSlirp(tools, network, user, uid);
    const [ready, closed] = await Promise.allSettled([slirp.ready, holes === 'closed' ? undefined : closeHoles(tools, network, user)]);
    if (ready.status === 'rejected') throw ready.reason;
    if (closed.status === 'rejected') throw closed.reason;
    return slirp;
  } catch (error) {
    slirp?.stop();
    await slirp?.exited;
    const cause = error instanceof Error ? error.message : String(error);
    throw new HearthError('network_unavailable', `The sandbox's way to the outside world could not be set up: ${cause}`, { cause: error });
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

/**
 * bwrap tells of the namespaces before it has set their loopback interface up, and fails when slirp4netns does that first: so wait for the
 * route that ends bwrap's work. Readable by everybody, through the process whose namespace it is.
 */
async function loopbackUp(init: NamespaceInit): Promise<void> {
  const limit = performance.now() + PATIENCE_MS;
  for (;;) {
    const routes = await readFile(`/proc/${init.pid}/net/fib_trie`, 'utf8').catch(() => undefined);
    if (routes === undefined) throw new Error('the sandbox is gone');
    if (routes.includes('127.0.0.1')) return;
    if (performance.now() > limit) throw new Error(`its loopback interface was not up within ${PATIENCE_MS} ms`);
    await sleep(1);
  }
}

/** By descriptor, so that a pid that is used anew can't turn the host's own namespace into the sandbox's. */
function openNamespace(init: NamespaceInit, kind: 'net' | 'user', opened: number[]): number {
  const descriptor = openSync(`/proc/${init.pid}/ns/${kind}`, 'r');
  opened.push(descriptor);
  return descriptor;
}

interface Slirp extends Egress {
  ready: Promise<void>;
}

/** Descriptors of slirp4netns: 3 ready, 4 exit (its other end lives as long as the platform does), 5 network and 6 user namespace. */
function spawnSlirp(tools: EgressTools, network: number, user: number | undefined, uid: number | undefined): Slirp {
  const options = ['--configure', '--mtu=65520', '--disable-host-loopback', '--ready-fd=3', '--exit-fd=4', '--netns-type=path'];
  const identity = tools.runAs === 'sandbox' && uid !== undefined ? { uid, gid: uid } : {};
  const argv = [
    ...options,
    '--enable-seccomp',
    // Its own sandbox wants to be uid 0 of the user namespace, which maps nobody but nobody; it is for root, who has more to lose.
    ...(tools.runAs === 'root' ? ['--enable-sandbox'] : []),
    ...(user === undefined ? [] : ['--userns-path=/proc/self/fd/6']),
    ...['/proc/self/fd/5', 'tap0'],
  ];
  const child = spawn(tools.slirp4netns, argv, {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', network, user ?? 'ignore'],
    detached: true,
    ...identity,
  });
  let said = '';
  const exited = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined);
  const patience = setTimeout(() => ready.reject(new Error(`slirp4netns was not ready within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  void ready.promise.catch(() => undefined).finally(() => clearTimeout(patience));
  child.on('error', (error) => {
    ready.reject(error);
    if (child.pid === undefined) exited.resolve();
  });
  child.on('exit', () => exited.resolve());
  // The output is complete only at close, and it says why.
  child.on('close', () => ready.reject(new Error(`slirp4netns ended: ${said.trim().slice(-1000)}`)));
  child.stderr?.on('data', (chunk: Buffer) => {
    if (said.length < 8192) said += chunk.toString();
  });
  for (const index of [3, 4]) (child.stdio?.[index] as Duplex | undefined)?.on('error', () => undefined);
  (child.stdio?.[3] as Duplex | undefined)?.once('data', () => ready.resolve());
  return { ready: ready.promise, exited: exited.promise, stop: () => void child.kill('SIGKILL') };
}

/** Root needs to enter the network namespace only; who isn't root needs the capabilities of the user namespace's owner. */
async function closeHoles(tools: EgressTools, network: number, user: number | undefined): Promise<void> {
  const batch = [tools.ip, '-batch', '-'];
  const [file, ...argv] =
    tools.enterWith.kind === 'nsenter'
      ? [tools.enterWith.path, '--net=/proc/self/fd/3', ...batch]
      : [tools.enterWith.path, '-I', '-S', '-B', '-c', ENTER, ...batch];
  const result = await runCommand(file, argv, {
    environment: {},
    timeoutMs: 10_000,
    stdin: closingBatch(shutDestinations(hostAddresses())),
    descriptors: user === undefined ? [network] : [network, user],
  });
  if (result.code !== 0) throw new Error(`the host's own addresses could not be shut (${result.stderr.trim().slice(-1000)})`);
}

/**
 * nsenter in Python, for ordinary users: the sandbox's user namespace maps nobody to uid 0, so that nsenter's exec would drop what
 * entering gave; CAP_NET_ADMIN must become ambient first. Descriptors: 3 network, 4 user namespace.
 */
const ENTER = `
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def check(value):
    if value != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
CLONE_NEWUSER, CLONE_NEWNET, NET_ADMIN, PR_CAP_AMBIENT, RAISE = 0x10000000, 0x40000000, 12, 47, 2
check(libc.setns(4, CLONE_NEWUSER))
check(libc.setns(3, CLONE_NEWNET))
bit = 1 << NET_ADMIN
check(libc.capset(struct.pack("Ii", 0x20080522, 0), struct.pack("6I", bit, bit, bit, 0, 0, 0)))
check(libc.prctl(PR_CAP_AMBIENT, RAISE, NET_ADMIN, 0, 0))
os.execv(sys.argv[1], sys.argv[1:])
`;

/** Commands for `ip -batch`. */
export function closingBatch(shut: readonly Destination[]): string {
  const lines = [
    // Some versions of libslirp forward any port of the resolver's address to the host's resolver, which may be on the host's loopback.
    // UDP and TCP by their numbers: their names stand in /etc/protocols, which a minimal system lacks.
    `rule add pref 100 to ${RESOLVER} ipproto 17 dport 53 lookup main`,
    `rule add pref 101 to ${RESOLVER} ipproto 6 dport 53 lookup main`,
    `rule add pref 102 to ${RESOLVER} unreachable`,
    ...shut.map(({ address, prefix }) => `route add unreachable ${address}/${prefix}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** Where an egress sandbox must not get, each once: adding a route twice fails. `addresses`: the host's own. */
export function shutDestinations(addresses: readonly string[]): Destination[] {
  const known = new Set(METADATA.map(({ address }) => address));
  return [...METADATA, ...addresses.filter((address) => !known.has(address)).map((address) => ({ address, prefix: 32 }))];
}

/** IPv4 addresses of this machine that aren't loopback or link-local; IPv6 doesn't leave the sandbox. */
export function hostAddresses(): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, address }) => family === 'IPv4' && !address.startsWith('127.') && !address.startsWith('169.254.'))
    .map(({ address }) => address);
  return [...new Set(addresses)];
}

/** The sandbox's /etc/hosts and /etc/resolv.conf. `names`: what it has of its own; they win over the host's. */
export function nameFiles(network: NetworkMode, names: readonly Pick<StreamListen, 'name' | 'host'>[]): EtcFiles {
  const own = [...new Set(names.map(({ name, host }) => `${host} ${name}\n`))].join('');
  const local = '127.0.0.1 localhost\n127.0.0.1 fn\n';
  if (network === 'host') return { hosts: `${own}${readOrEmpty('/etc/hosts')}`, resolvConf: readOrEmpty('/etc/resolv.conf') };
  return { hosts: local + own, resolvConf: network === 'egress' ? `nameserver ${RESOLVER}\n` : '' };
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
