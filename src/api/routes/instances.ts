import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { InstanceRecord } from '../../schemas/records.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { functionName, instanceId } from '../wire/parameters.ts';
import { Instance, instance } from '../wire/records.ts';

const DEFAULT_LIMIT = 100;

type InstanceDependencies = Pick<ApiDependencies, 'store' | 'liveInstances' | 'instanceLogs'>;

export function instanceRoutes(app: Api, { store, liveInstances, instanceLogs }: InstanceDependencies): void {
  async function find(id: string): Promise<InstanceRecord> {
    // What is in memory is newer than what is written behind.
    const record = liveInstances().find((live) => live.id === id) ?? (await store.instance(id));
    if (record === undefined) throw new HearthError('not_found', `There is no instance "${id}", or its record has been deleted for its age.`);
    return record;
  }

  app.get(
    '/functions/instances',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'listInstances',
        summary: 'Instances, newest first',
        tags: ['instances'],
        querystring: Type.Object(
          {
            function_name: Type.Optional({ ...functionName, description: 'Only of this function.' }),
            all: Type.Optional(Type.Boolean({ description: 'Those that have stopped, too.' })),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: `Default ${DEFAULT_LIMIT}.` })),
          },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ instances: Type.Array(Instance) }), ...problems('invalid_request', 'store_unavailable') },
      },
    },
    async (request) => {
      const { function_name: functionName, all = false, limit = DEFAULT_LIMIT } = request.query;
      const records = liveInstances().filter((record) => functionName === undefined || record.functionName === functionName);
      if (all) {
        const known = new Set(records.map((record) => record.id));
        const written = await store.instances(functionName === undefined ? { limit } : { functionName, limit });
        records.push(...written.filter((record) => !known.has(record.id)));
        records.sort((a, b) => b.startedAt - a.startedAt);
      }
      return { instances: records.slice(0, limit).map(instance) };
    },
  );

  app.get(
    '/functions/instances/:id',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getInstance',
        summary: 'One instance, also when it has stopped',
        tags: ['instances'],
        params: Type.Object({ id: instanceId }),
        response: { 200: Instance, ...problems('not_found', 'store_unavailable') },
      },
    },
    async (request) => instance(await find(request.params.id)),
  );

  app.get(
    '/functions/instances/:id/logs',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getInstanceLogs',
        summary: 'The last of what an instance printed',
        tags: ['instances'],
        params: Type.Object({ id: instanceId }),
        response: {
          200: { description: 'Text.', content: { 'text/plain': { schema: Type.String() } } },
          ...problems('not_found', 'store_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const logs = instanceLogs(request.params.id) ?? (await find(request.params.id)).logs ?? '';
      return reply.type('text/plain; charset=utf-8').header('x-content-type-options', 'nosniff').send(logs);
    },
  );
}
