import { describe, expect, it } from 'vitest';
import { InstanceLimits, type LimitSettings } from './instance-limits.ts';

const MIB = 1024 * 1024;
const settings: LimitSettings = { memoryBytes: 256 * MIB, boundsMemory: true, rlimits: { openFiles: 64 } };
const version = { functionName: 'f', memoryBytes: null, cpu: null };

describe('the limits of an instance', () => {
  it('ask nothing of a sandbox that was born with them', () => {
    expect(new InstanceLimits(version, settings).own).toBeUndefined();
    expect(new InstanceLimits({ ...version, cpu: 0.5 }, settings).own).toEqual({ cpu: 0.5 });
    expect(new InstanceLimits({ ...version, memoryBytes: MIB, cpu: 2 }, settings).own).toEqual({ memoryBytes: MIB, cpu: 2 });
  });

  it('are left to the runtime where nothing bounds memory as a whole', () => {
    expect(new InstanceLimits(version, settings).rlimits).toEqual({ openFiles: 64 });
    const unbounded = { ...settings, boundsMemory: false };
    expect(new InstanceLimits(version, unbounded).rlimits).toEqual({ openFiles: 64, memoryBytes: 256 * MIB });
    expect(new InstanceLimits({ ...version, memoryBytes: 64 * MIB }, unbounded).rlimits).toEqual({ openFiles: 64, memoryBytes: 64 * MIB });
  });

  it('tell each kill once, so that a later death of another kind is not taken for one', async () => {
    const limits = new InstanceLimits(version, settings);
    const sandbox = { oomKills: async () => 1 };
    expect(await limits.ofKilledScript(sandbox, 'SIGKILL', null)).toMatchObject({ code: 'out_of_memory', extra: { memory_limit_bytes: 256 * MIB } });
    expect(await limits.ofKilledScript(sandbox, 'SIGKILL', null)).toBeUndefined();
    expect(limits.ofExit({ code: 1, signal: null, oomKills: 1 }, null)).toBeUndefined();
    expect(limits.ofExit({ code: null, signal: 'SIGKILL', oomKills: 2 }, null)).toMatchObject({ code: 'out_of_memory' });
    expect(new InstanceLimits(version, settings).ofExit({ code: 1, signal: null }, null)).toBeUndefined();
  });

  it('are told of a V8 that has given up by itself, and of no other process that aborts', async () => {
    const limits = new InstanceLimits(version, settings);
    const said = 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory';
    expect(limits.ofExit({ code: null, signal: 'SIGABRT' }, said)).toMatchObject({ code: 'out_of_memory' });
    expect(limits.ofExit({ code: null, signal: 'SIGABRT' }, 'assertion failed')).toBeUndefined();
    expect(limits.ofExit({ code: null, signal: 'SIGKILL' }, said)).toBeUndefined();
    expect(await limits.ofKilledScript({ oomKills: async () => 0 }, 'SIGABRT', said)).toMatchObject({ code: 'out_of_memory' });
  });
});
