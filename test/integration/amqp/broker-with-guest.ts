import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RabbitMq } from '../../support/rabbitmq.ts';

/** As deploy/env.sh has them. */
const UUID = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';

const DEFINITIONS = {
  users: [{ name: 'guest', password: 'guest', tags: '' }],
  permissions: [{ user: 'guest', vhost: '/', configure: UUID, write: '^amq\\.default$', read: '^$' }],
};

/** A broker that lets scripts answer, and no more. */
export async function startBrokerWithGuest(): Promise<RabbitMq> {
  const broker = await RabbitMq.start();
  const folder = await mkdtemp(join(tmpdir(), 'hearth-definitions-'));
  await writeFile(join(folder, 'definitions.json'), JSON.stringify(DEFINITIONS));
  await broker.control('import_definitions', join(folder, 'definitions.json'));
  await rm(folder, { recursive: true });
  return broker;
}
