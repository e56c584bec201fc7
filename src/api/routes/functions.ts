import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import { FunctionDefinition } from '../../schemas/function.ts';
import { noteVersion } from '../access/audit.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { FunctionDetail, FunctionSummary, functionDetail, functionSummary, Registered } from '../wire/functions.ts';
import { ofFunction } from '../wire/parameters.ts';
import { PREVIEW } from './schedules.ts';

export function functionRoutes(app: Api, { registry, schedules }: Pick<ApiDependencies, 'registry' | 'schedules'>): void {
  app.post(
    '/functions',
    {
      config: { role: 'deploy', subject: (request) => (request.body as { function_name: string }).function_name },
      schema: {
        operationId: 'registerFunction',
        summary: 'Register a function, or a new version of one',
        description:
          'Builds the layers that it needs first and answers when it can be called. A function that is being called gets an instance of the new version ' +
          'before the switch; one that can not be started within 10 s is named in `warnings`, and the switch is made all the same.',
        tags: ['functions'],
        body: FunctionDefinition,
        response: {
          200: Registered,
          ...problems(
            'malformed_request',
            'body_too_large',
            'unsupported_media_type',
            'invalid_request',
            'conflict',
            'invalid_code',
            'unknown_layer',
            'invalid_bundle',
            'bundle_too_large',
            'unknown_bundle',
            'storage_full',
            'layer_build_failed',
            'network_unavailable',
            'sandbox_unavailable',
            'store_unavailable',
          ),
        },
      },
    },
    async (request) => {
      const { version, created, warnings } = await registry.register(request.body);
      noteVersion(request, version.number);
      const preview = version.schedule ? { next_firings: schedules.preview(version.eventKey, PREVIEW) } : {};
      return { status: 'ok' as const, ...functionSummary(version), created, ...preview, warnings };
    },
  );

  app.get(
    '/functions',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'listFunctions',
        summary: 'All functions, by event key, without their code',
        tags: ['functions'],
        response: { 200: Type.Object({}, { additionalProperties: Type.Array(FunctionSummary), description: 'Event keys and their functions.' }) },
      },
    },
    () => {
      const byKey = Map.groupBy(registry.list(), (version) => version.eventKey);
      return Object.fromEntries([...byKey].map(([eventKey, versions]) => [eventKey, versions.map(functionSummary)]));
    },
  );

  app.get(
    '/functions/:function_name',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getFunction',
        summary: 'The current version of a function, with its code',
        tags: ['functions'],
        params: ofFunction,
        response: { 200: FunctionDetail, ...problems('not_found') },
      },
    },
    (request) => {
      const { function_name: functionName } = request.params;
      const version = registry.get(functionName);
      if (version === undefined) throw new HearthError('not_found', `There is no function "${functionName}".`);
      return functionDetail(version);
    },
  );

  app.delete(
    '/functions/:function_name',
    {
      config: { role: 'deploy' },
      schema: {
        operationId: 'deleteFunction',
        summary: 'Delete a function',
        description: 'Its versions and records stay. A name that is not there is no error.',
        tags: ['functions'],
        params: ofFunction,
        response: {
          200: Type.Object({ status: Type.Literal('ok'), deleted: Type.Boolean({ description: 'Whether there was one.' }) }),
          ...problems('store_unavailable'),
        },
      },
    },
    async (request) => ({ status: 'ok' as const, deleted: await registry.remove(request.params.function_name) }),
  );
}
