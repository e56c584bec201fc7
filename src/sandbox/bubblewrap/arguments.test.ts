import { describe, expect, it } from 'vitest';
import { bwrapArguments, DESCRIPTORS } from './arguments.ts';
import type { Plan } from './plan.ts';
import { closingSteps } from './root-filesystem.ts';

const plan: Plan = { network: 'none', workingFolder: '/tmp', command: ['python3'], environment: { HOME: '/tmp' }, steps: closingSteps(4096) };

describe('bwrapArguments', () => {
  it('names every namespace and nests none', () => {
    const { options } = bwrapArguments(plan, false);
    for (const namespace of ['user', 'pid', 'net', 'ipc', 'uts', 'cgroup']) expect(options).toContain(`--unshare-${namespace}`);
    expect(options).not.toContain('--disable-userns');
    expect(options).not.toContain('--dev');
  });

  it("shares the host's network in mode host only", () => {
    expect(bwrapArguments({ ...plan, network: 'egress' }, true).options).toContain('--unshare-net');
    expect(bwrapArguments({ ...plan, network: 'host' }, false).options).not.toContain('--unshare-net');
  });

  it('ends the mounts by making /dev and the root read-only', () => {
    const { options } = bwrapArguments(plan, false);
    expect(options.slice(options.lastIndexOf('--tmpfs') + 2, -2)).toEqual(['--remount-ro', '/dev', '--remount-ro', '/']);
  });

  it('gives each file a descriptor of its own, in order', () => {
    const steps: Plan['steps'] = [
      { kind: 'file', content: 'one', target: '/etc/one' },
      { kind: 'file', content: 'two', target: '/etc/two' },
    ];
    const { options, files } = bwrapArguments({ ...plan, steps }, false);
    expect(files).toEqual(['one', 'two']);
    expect(options[options.indexOf('/etc/one') - 1]).toBe(String(DESCRIPTORS.firstFile));
    expect(options[options.indexOf('/etc/two') - 1]).toBe(String(DESCRIPTORS.firstFile + 1));
  });

  it('holds the command back when asked', () => {
    expect(bwrapArguments(plan, true).options).toContain('--block-fd');
    expect(bwrapArguments(plan, false).options).not.toContain('--block-fd');
  });
});
