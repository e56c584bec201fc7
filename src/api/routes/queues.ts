import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { Queue, queueOnTheWire } from '../wire/queues.ts';

/** Queues of the operator's broker that functions have for their event keys. */
export function queueRoutes(app: Api, { queues }: Pick<ApiDependencies, 'queues'>): void {
  app.get(
    '/queues',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'listQueues',
        summary: 'Queues that run functions, by name',
        tags: ['queues'],
        response: { 200: Type.Object({ queues: Type.Array(Queue) }) },
      },
    },
    () => ({ queues: queues.list().map(queueOnTheWire) }),
  );

  app.get(
    '/queues/:queue',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getQueue',
        summary: 'One queue that runs functions',
        tags: ['queues'],
        params: Type.Object({ queue: Type.String({ description: 'Its name on the broker.', examples: ['orders'] }) }),
        response: { 200: Queue, ...problems('not_found') },
      },
    },
    (request) => {
      const status = queues.get(request.params.queue);
      if (!status) {
        throw new HearthError('not_found', `No function has the event key "queue|${request.params.queue}"; GET /queues lists those that there are.`);
      }
      return queueOnTheWire(status);
    },
  );
}
