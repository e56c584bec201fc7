import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const PROGRAM = fileURLToPath(new URL('./fixtures/crashing-queue.ts', import.meta.url));

interface Ended {
  id: string;
  state: string;
  attempts: { number: number; outcome: string }[];
  result: string | null;
}

async function run(args: string[]): Promise<{ lines: string[]; signal: string | null; code: number | null }> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { lines: output.split('\n').slice(0, -1), signal, code };
}

describe('kill -9 at a named point of the way', () => {
  it.for([
    ['before-commit', 'accept'],
    ['after-commit', 'accept'],
    ['before-commit', 'take'],
    ['after-commit', 'take'],
    ['before-commit', 'settle'],
    ['after-commit', 'settle'],
    ['before-dispatch', '-'],
    ['before-result', '-'],
    ['after-result', '-'],
  ] as const)(
    '%s of %s: what was acknowledged ends once, and runs twice only where its attempt was lost',
    { timeout: 60_000 },
    async ([point, method]) => {
      const folder = await mkdtemp(join(tmpdir(), 'hearth-point-'));
      try {
        const [file, runsFile] = [join(folder, 'queue.db'), join(folder, 'runs')];
        const acknowledged: string[] = [];
        for (const occurrence of ['1', '5']) {
          const { lines, signal } = await run([file, runsFile, 'accept', point, method, occurrence]);
          expect(signal).toBe('SIGKILL');
          acknowledged.push(...lines);
        }
        const { lines, code } = await run([file, runsFile, 'finish', 'none', '-', '0']);
        expect(code).toBe(0);
        const ended = new Map((JSON.parse(lines.at(-1) as string) as Ended[]).map((one) => [one.id, one]));
        const ran = existsSync(runsFile) ? (await readFile(runsFile, 'utf8')).split('\n').slice(0, -1) : [];

        expect(acknowledged.filter((id) => !ended.has(id))).toEqual([]);
        for (const { id, state, attempts, result } of ended.values()) {
          const runs = ran.filter((line) => line.startsWith(id));
          const lost = attempts.filter(({ outcome }) => outcome === 'lost').length;
          expect({ state, result }).toEqual({ state: 'succeeded', result: id });
          expect(attempts.map(({ number }) => number)).toEqual(attempts.map((_, index) => index + 1));
          expect(attempts.filter(({ outcome }) => outcome === 'succeeded')).toHaveLength(1);
          expect(new Set(runs).size).toBe(runs.length);
          expect(runs.length).toBeGreaterThan(0);
          expect(runs.length).toBeLessThanOrEqual(1 + lost);
        }
        // No more than were asked for; one may have been accepted whose caller never heard of it.
        expect(ended.size - acknowledged.length).toBeLessThanOrEqual(2);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );
});
