import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { IS_ROOT } from './support.ts';

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** Runs the platform fixture in a world of its own, as root or as an ordinary user, and returns what its sandbox reached. */
async function inWorld(driver: 'bubblewrap' | 'nursery', tun: 'open' | 'closed', user: 'root' | 'ordinary'): Promise<Record<string, unknown>> {
  const as = user === 'root' ? [] : ['setpriv', '--reuid', '1001', '--regid', '1001', '--clear-groups', 'env', 'HOME=/tmp'];
  const argv = [
    '--net',
    '--mount',
    '--propagation',
    'private',
    fixture('egress-world.sh'),
    tun,
    ...as,
    process.execPath,
    fixture('egress-platform.ts'),
    driver,
  ];
  const { stdout } = await promisify(execFile)('unshare', argv, { timeout: 50_000 });
  return JSON.parse(stdout);
}

/** Metadata services of clouds. */
const METADATA = ['169.254.169.254', '100.100.100.200', '168.63.129.16', '192.0.0.192', 'fd00:ec2::254'];
const SHUT = /Error$|^$/;

describe.runIf(IS_ROOT).each(['bubblewrap', 'nursery'] as const)('a %s sandbox with egress', (driver) => {
  it.each([
    ['root, where only root may open tun', 'closed', 'root', 'as root'],
    ["the sandbox's user, where all may open tun", 'open', 'root', "as the sandbox's user"],
    ['an ordinary user', 'open', 'ordinary', "as the sandbox's user"],
  ] as const)('reaches the outside but nothing of the host, with slirp4netns run by %s', async (_, tun, user, detail) => {
    const found = await inWorld(driver, tun, user);
    expect(found.egress).toContain(detail);
    expect(found.driver).toBe(driver);
    expect(found.networks).toEqual(['none', 'egress', 'host']);
    expect(found.outside).toBe('outside');
    for (const way of ['address', 'loopback', 'gateway', 'resolver, other port', ...METADATA]) expect(found[way], way).toMatch(SHUT);
    expect(found['metadata of the host']).toBe('outside');
    if (user === 'root') expect(found.resolver).toBe('resolved');
    expect(found.stats).toBe(1);
    expect(found['resolv.conf']).toBe('nameserver 10.0.2.3\n');
  });

  it('is not promised to an ordinary user who may not open tun, who still gets the rest', async () => {
    const found = await inWorld(driver, 'closed', 'ordinary');
    expect(found.driver).toBe(driver);
    expect(found.networks).toEqual(['none', 'host']);
    expect(found.egress).toMatch(/\/dev\/net\/tun may be opened by root only; chmod 0666/);
    expect(found.refusal).toBe('network_unavailable');
    expect(found.status).toMatch(/^Uid:\t65534/m);
    expect(found.status).toMatch(/^CapBnd:\t0{16}$/m);
    expect(found.status).toMatch(/^Seccomp:\t2$/m);
    expect(found.stats).toBe(true);
  });
});
