import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import { TrafficDefinition } from '../../schemas/traffic.ts';
import { noteVersion } from '../access/audit.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { functionSummary, RolledBack } from '../wire/functions.ts';
import { ofFunction } from '../wire/parameters.ts';
import { Traffic, TrafficEnded, TrafficSet, traffic } from '../wire/traffic.ts';

/** Which of a function's versions get its calls. */
export function trafficRoutes(app: Api, { registry }: Pick<ApiDependencies, 'registry'>): void {
  app.post(
    '/functions/:function_name/rollback',
    {
      config: { role: 'deploy' },
      schema: {
        operationId: 'rollBackFunction',
        summary: 'Make an earlier version current again',
        description: "Under its own number; its event key becomes the function's. All calls go to it: a traffic split ends.",
        tags: ['versions'],
        params: ofFunction,
        body: Type.Object(
          {
            version: Type.Optional(
              Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Default: the one before the current version.' }),
            ),
          },
          { additionalProperties: false },
        ),
        response: {
          200: RolledBack,
          ...problems(
            'malformed_request',
            'body_too_large',
            'unsupported_media_type',
            'invalid_request',
            'not_found',
            'unknown_version',
            'conflict',
            'store_unavailable',
          ),
        },
      },
      // Whoever names no version need not send a body.
      preValidation: async (request) => {
        request.body ??= {};
      },
    },
    async (request) => {
      const { version, from, warnings } = await registry.rollback(request.params.function_name, request.body.version);
      noteVersion(request, version.number);
      return { status: 'ok' as const, ...functionSummary(version), rolled_back_from: from, warnings };
    },
  );

  app.get(
    '/functions/:function_name/traffic',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getTraffic',
        summary: 'How the calls of a function are split between versions, and what came of them',
        tags: ['versions'],
        params: ofFunction,
        response: { 200: Traffic, ...problems('not_found') },
      },
    },
    (request) => {
      const { function_name: functionName } = request.params;
      const status = registry.traffic(functionName);
      if (!status) throw new HearthError('not_found', `The calls of "${functionName}" are not split: all go to its current version.`);
      return traffic(status);
    },
  );

  app.put(
    '/functions/:function_name/traffic',
    {
      config: { role: 'deploy' },
      schema: {
        operationId: 'splitTraffic',
        summary: 'Split the calls of a function between versions',
        description:
          'In the place of the split that there was; counting begins anew. It stays in force when a new version is registered. The header `X-Hearth-Version` ' +
          'reaches every version of the split and the current one.',
        tags: ['versions'],
        params: ofFunction,
        body: TrafficDefinition,
        response: {
          200: TrafficSet,
          ...problems(
            'malformed_request',
            'body_too_large',
            'unsupported_media_type',
            'invalid_request',
            'not_found',
            'conflict',
            'store_unavailable',
          ),
        },
      },
    },
    async (request) => {
      const { status, warnings } = await registry.setTraffic(request.params.function_name, request.body);
      return { status: 'ok' as const, ...traffic(status), warnings };
    },
  );

  app.delete(
    '/functions/:function_name/traffic',
    {
      config: { role: 'deploy' },
      schema: {
        operationId: 'endTrafficSplit',
        summary: 'End the split: all calls go to the current version',
        description: 'Where there is none, that is no error.',
        tags: ['versions'],
        params: ofFunction,
        response: { 200: TrafficEnded, ...problems('not_found', 'store_unavailable') },
      },
    },
    async (request) => {
      const { ended, current, warnings } = await registry.endTraffic(request.params.function_name);
      noteVersion(request, current.number);
      return { status: 'ok' as const, deleted: ended, current_version: current.number, warnings };
    },
  );
}
