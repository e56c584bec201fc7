import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const BENCH = fileURLToPath(new URL('../../../bench/run.ts', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-bench-test-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('a short run of the bench prints a table of positive figures, and writes what they are made of', { timeout: 180_000 }, async () => {
  const json = join(folder, 'results.json');
  const { stdout } = await run(process.execPath, [BENCH, 'cold', '--quick', '--count', '2', '--no-libraries', '--no-docker', '--json', json]);

  const rows = stdout.split('\n').filter((line) => line.startsWith('| '));
  const figures = (label: string): number[] => {
    const row = rows.find((line) => line.includes(label)) ?? '';
    return row.split(' | ').slice(1).map(Number.parseFloat);
  };
  for (const label of ['-c pass`, until its end, no isolation', 'create to Hello (network none)', 'handler, pool hit (nursery, network none)']) {
    const [p50, p99] = figures(label) as [number, number];
    expect(p50, label).toBeGreaterThan(0);
    expect(p99, label).toBeGreaterThanOrEqual(p50);
  }

  const { results } = JSON.parse(await readFile(json, 'utf8')) as { results: { name: string; sections: { raw: { times: number[] | null }[] }[] }[] };
  expect(results.map(({ name }) => name)).toEqual(['cold']);
  const measured = results[0]?.sections[0]?.raw.flatMap(({ times }) => (times ? [times.length] : [])) ?? [];
  expect(measured.length).toBeGreaterThanOrEqual(3);
  expect(new Set(measured)).toEqual(new Set([2]));
});

test('a case that does not exist is refused with the usage', async () => {
  await expect(run(process.execPath, [BENCH, 'nonsense'])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('there is no case nonsense'),
  });
});
