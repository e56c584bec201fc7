import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { FunctionDetail, FunctionSummary, functionDetail, functionSummary } from '../wire/functions.ts';
import { functionName, ofFunction, versionNumber } from '../wire/parameters.ts';

export function versionRoutes(app: Api, { store }: Pick<ApiDependencies, 'store'>): void {
  app.get(
    '/functions/:function_name/versions',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'listVersions',
        summary: 'All versions of a function, newest first',
        description: 'They outlive the function.',
        tags: ['versions'],
        params: ofFunction,
        response: { 200: Type.Object({ versions: Type.Array(FunctionSummary) }), ...problems('not_found', 'store_unavailable') },
      },
    },
    async (request) => {
      const { function_name: functionName } = request.params;
      const versions = await store.versions(functionName);
      if (versions.length === 0) throw new HearthError('not_found', `There never was a function "${functionName}".`);
      return { versions: versions.map(functionSummary) };
    },
  );

  app.get(
    '/functions/:function_name/versions/:number',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getVersion',
        summary: 'One version, with its code',
        tags: ['versions'],
        params: Type.Object({ function_name: functionName, number: versionNumber }),
        response: { 200: FunctionDetail, ...problems('not_found', 'invalid_request', 'store_unavailable') },
      },
    },
    async (request) => {
      const { function_name: functionName, number } = request.params;
      const version = await store.version(functionName, number);
      if (version === undefined) throw new HearthError('not_found', `There is no version ${number} of a function "${functionName}".`);
      return functionDetail(version);
    },
  );
}
