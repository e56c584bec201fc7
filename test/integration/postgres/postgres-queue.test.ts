import { afterAll, beforeAll, describe } from 'vitest';
import { Postgres } from '../../support/postgres.ts';
import { queueConformance } from '../../unit/queue/queue-conformance.ts';
import { PostgresPlace } from './queue-place.ts';

let server: Postgres;
beforeAll(async () => {
  server = await Postgres.start();
});
afterAll(() => server?.[Symbol.asyncDispose]());

describe('the durable queue in PostgreSQL', () => {
  queueConformance(() => PostgresPlace.make(server.url));
});
