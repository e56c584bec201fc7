import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Hearth } from '../../support/hearth.ts';
import type { RabbitMq } from '../../support/rabbitmq.ts';
import { startBrokerWithGuest } from './broker-with-guest.ts';

const WORKFLOW = fileURLToPath(new URL('../../acceptance/seed-workflow.sh', import.meta.url));

/** Each driver by the settings that choose it. */
const DRIVERS: Record<string, Record<string, string>> = {
  nursery: { HEARTH_DRIVER: 'bubblewrap' },
  bubblewrap: { HEARTH_DRIVER: 'bubblewrap', HEARTH_SANDBOX_NURSERY: 'off' },
};

let broker: RabbitMq;
/** One for all, so that the library is installed once. */
let dataFolder: string;
beforeAll(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), 'hearth-data-'));
  broker = await startBrokerWithGuest();
}, 300_000);
afterAll(async () => {
  await broker?.[Symbol.asyncDispose]();
  await rm(dataFolder, { recursive: true, force: true });
});

describe.each(Object.keys(DRIVERS))('the workflow of a newcomer with the driver %s', (driver) => {
  test.each(['embedded', 'broker'])(
    'and answers by %s',
    async (answers) => {
      const settings = { ...DRIVERS[driver], HEARTH_AMQP_URL: broker.url, HEARTH_AMQP_MESSAGE_QUEUE: answers };
      await using hearth = await Hearth.start({ dataFolder, requirements: 'pika\n', settings });
      const { stdout } = await promisify(execFile)(WORKFLOW, [hearth.api, hearth.gateway], { env: process.env }).catch(
        (error: { stdout: string }) => error,
      );
      expect(stdout).toMatch(/\n\d\d passed, 0 failed\n$/);
    },
    240_000,
  );
});
