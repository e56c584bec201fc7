import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { ofFunction } from '../wire/parameters.ts';
import { FunctionSeries, functionSeries, MachineSeries, machineSeries, Window } from '../wire/series.ts';
import { FunctionSlo, functionSlo } from '../wire/slo.ts';

const querystring = Type.Object({ window: Type.Optional(Window) }, { additionalProperties: false });

/** What was counted over time, and what that means for objectives. */
export function seriesRoutes(app: Api, { registry, series }: Pick<ApiDependencies, 'registry' | 'series'>): void {
  app.get(
    '/functions/:function_name/series',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getFunctionSeries',
        summary: 'How the calls of a function ended, over time',
        description: 'In columns, one value for each step. docs/metrics.md says how long what is kept.',
        tags: ['platform'],
        params: ofFunction,
        querystring,
        response: { 200: FunctionSeries, ...problems('invalid_request', 'not_found') },
      },
    },
    (request) => {
      const { function_name: functionName } = request.params;
      if (!registry.get(functionName)) throw new HearthError('not_found', `There is no function "${functionName}".`);
      const { window = '1h' } = request.query;
      return functionSeries(functionName, window, series.ofFunction(functionName, window));
    },
  );

  app.get(
    '/functions/:function_name/slo',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getFunctionSlo',
        summary: 'How a function holds its objectives',
        description: 'docs/slo.md says what counts.',
        tags: ['platform'],
        params: ofFunction,
        response: { 200: FunctionSlo, ...problems('not_found') },
      },
    },
    (request) => {
      const { function_name: functionName } = request.params;
      const version = registry.get(functionName);
      if (!version) throw new HearthError('not_found', `There is no function "${functionName}".`);
      if (!version.slo) throw new HearthError('not_found', `Nothing is promised of "${functionName}": its definition has no \`slo\`.`);
      return functionSlo(functionName, series.slo(functionName, version.slo));
    },
  );

  app.get(
    '/series',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getSeries',
        summary: 'How all calls ended, and what the machine was doing, over time',
        tags: ['platform'],
        querystring,
        response: { 200: MachineSeries, ...problems('invalid_request') },
      },
    },
    (request) => {
      const { window = '1h' } = request.query;
      return machineSeries(window, series.ofMachine(window), series.memoryBudgetBytes);
    },
  );
}
