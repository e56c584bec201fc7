import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { ofFunction } from '../wire/parameters.ts';
import { FunctionSeries, functionSeries, MachineSeries, machineSeries, Window } from '../wire/series.ts';

const querystring = Type.Object({ window: Type.Optional(Window) }, { additionalProperties: false });

/** What was counted over time, for the dashboard. */
export function seriesRoutes(app: Api, { registry, series }: Pick<ApiDependencies, 'registry' | 'series'>): void {
  app.get(
    '/functions/:function_name/series',
    {
      config: { role: 'read' },
      schema: {
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
    '/series',
    {
      config: { role: 'read' },
      schema: {
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
