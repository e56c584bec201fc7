import { afterAll, beforeAll, describe } from 'vitest';
import { Postgres } from '../../support/postgres.ts';
import { queueConformance } from '../../unit/queue/queue-conformance.ts';
import { queueOfSeveralNodes } from './queue-nodes.ts';
import { PostgresPlace } from './queue-place.ts';
import { queuePlans } from './queue-plans.ts';
import { queueWithTickets } from './queue-tickets.ts';

// One server for all of it: a start takes longer than any of these tests.
let server: Postgres;
beforeAll(async () => {
  server = await Postgres.start();
});
afterAll(() => server?.[Symbol.asyncDispose]());

describe('the durable queue in PostgreSQL', () => {
  queueConformance(() => PostgresPlace.make(server.url));
});
describe('a queue of several nodes', () => queueOfSeveralNodes(() => server));
describe('a queue with tickets', () => queueWithTickets(() => server));
describe('the statements of the queue in PostgreSQL', () => queuePlans(() => server));
