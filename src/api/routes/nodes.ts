import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Instant, problems } from '../wire/common.ts';
import { Node, node } from '../wire/nodes.ts';

/** The platforms that work together, and whether this one takes calls. */
export function nodeRoutes(app: Api, { nodes }: Pick<ApiDependencies, 'nodes'>): void {
  app.get(
    '/nodes',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'listNodes',
        summary: 'The nodes that work together, by name',
        description: 'A platform without a database of its own is the one node. While the database is away: what was last heard.',
        tags: ['platform'],
        response: { 200: Type.Object({ nodes: Type.Array(Node), as_of: Instant }) },
      },
    },
    () => {
      const { id } = nodes.self;
      return { nodes: nodes.list().map((record) => node(record, id)), as_of: nodes.asOf };
    },
  );

  app.get(
    '/ready',
    {
      config: { role: 'open' },
      schema: {
        operationId: 'getReady',
        summary: 'Whether this node takes calls',
        description: 'For load balancers that ask the control plane. `OPTIONS *` asks the gateway itself.',
        tags: ['platform'],
        response: { 200: Type.Object({ status: Type.Literal('up') }), ...problems('draining') },
      },
    },
    () => {
      const { state } = nodes.self;
      if (state === 'up') return { status: 'up' as const };
      const what = state === 'starting' ? 'does not take calls yet' : 'is shutting down and takes no more calls';
      throw new HearthError('draining', `This node ${what}.`, { retryAfter: 1 });
    },
  );
}
