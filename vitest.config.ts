import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { bundledTypebox } from './test/support/bundled-typebox.ts';
import { LongestFirst } from './test/support/longest-first.ts';

const execArgv = [`--import=${await bundledTypebox()}`];

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      // By itself Vitest leaves a core to others, which is one of two where it matters most.
      { test: { name: 'unit', execArgv, include: ['src/**/*.test.ts', 'test/unit/**/*.test.ts'], maxWorkers: availableParallelism() } },
      {
        test: {
          name: 'integration',
          execArgv,
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 300_000,
          // Sandboxes, brokers and pip share the cores, but wait more than they compute.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'fault',
          execArgv,
          include: ['test/fault/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'hostile',
          execArgv,
          include: ['test/hostile/**/*.test.ts'],
          globalSetup: 'test/hostile/support/global-setup.ts',
          testTimeout: 60_000,
          hookTimeout: 300_000,
          // They wait for deadlines a third of their time.
          maxWorkers: availableParallelism() + 1,
        },
      },
    ],
  },
});
