import { appendFile, cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HearthError } from '../../../src/errors.ts';
import { compileAgent } from '../../../src/sandbox/compile-agent.ts';
import { AGENT } from '../../support/agent.ts';

const PYTHON = { executable: '/usr/bin/python3', version: [3, 11, 2] };
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-compile-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('compileAgent', () => {
  it('makes a copy with bytecode once, and another one when the agent changes', async () => {
    const source = join(folder, 'agent');
    await cp(dirname(AGENT), source, { recursive: true });
    const first = await compileAgent(source, join(folder, 'out'), PYTHON);
    const compiled = await readdir(join(first, 'hearth_agent', '__pycache__'));
    expect(compiled.some((name) => /^boot\..*\.pyc$/.test(name))).toBe(true);
    expect(await compileAgent(source, join(folder, 'out'), PYTHON)).toBe(first);
    await appendFile(join(source, 'hearth_agent', 'boot.py'), '\n');
    const second = await compileAgent(source, join(folder, 'out'), PYTHON);
    expect(second).not.toBe(first);
    expect((await readdir(join(folder, 'out'))).length).toBe(2);
  });

  it('says what went wrong, and leaves nothing half done', async () => {
    await expect(compileAgent(dirname(AGENT), join(folder, 'out'), { ...PYTHON, executable: '/no/such/python' })).rejects.toThrow(HearthError);
    expect(await readdir(join(folder, 'out'))).toEqual([]);
  });
});
