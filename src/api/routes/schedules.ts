import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { ScheduleStatus } from '../../schedules/in-force.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { Nullable, problems } from '../wire/common.ts';
import { ofFunction } from '../wire/parameters.ts';
import { firing, type LastFirings, ScheduleDetail, ScheduleSummary, schedulePolicy, scheduleSummary } from '../wire/schedules.ts';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;
/** Instants that a preview has. */
export const PREVIEW = 5;
const FIRINGS = 100;

/** What functions with an event key `cron|…` do by the clock. A schedule has its function's name. */
export function scheduleRoutes(app: Api, { schedules, store }: Pick<ApiDependencies, 'schedules' | 'store'>): void {
  function find(functionName: string): ScheduleStatus {
    const status = schedules.get(functionName);
    if (!status) throw new HearthError('not_found', `There is no schedule "${functionName}": no function of that name with an event key \`cron|…\`.`);
    return status;
  }

  async function lastOf(functionName: string): Promise<LastFirings> {
    const [[last], [lastOver]] = await Promise.all([
      store.firings({ functionName, limit: 1 }),
      store.firings({ functionName, ended: true, limit: 1 }),
    ]);
    return { last, lastOver };
  }

  async function summary(status: ScheduleStatus) {
    return scheduleSummary(status, await lastOf(status.version.functionName));
  }

  app.get(
    '/schedules',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'listSchedules',
        summary: 'Functions that are run by the clock, by name',
        tags: ['schedules'],
        querystring: Type.Object(
          {
            after: Type.Optional(Type.String({ description: 'Only names after that one; `next_after` of the page before.' })),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LIMIT, description: `Default ${DEFAULT_LIMIT}.` })),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({ schedules: Type.Array(ScheduleSummary), next_after: Nullable(Type.String()) }),
          ...problems('invalid_request', 'store_unavailable'),
        },
      },
    },
    async (request) => {
      const { after = '', limit = DEFAULT_LIMIT } = request.query;
      const found = schedules.list(after, limit + 1);
      const page = await Promise.all(found.slice(0, limit).map(summary));
      return { schedules: page, next_after: found.length > limit ? (page.at(-1)?.function_name ?? null) : null };
    },
  );

  app.get(
    '/schedules/:function_name',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getSchedule',
        summary: 'One schedule: its settings, next instants and last firings',
        tags: ['schedules'],
        params: ofFunction,
        response: { 200: ScheduleDetail, ...problems('not_found', 'store_unavailable') },
      },
    },
    async (request) => {
      const status = find(request.params.function_name);
      const { functionName, eventKey } = status.version;
      const [last, firings] = await Promise.all([lastOf(functionName), store.firings({ functionName, limit: FIRINGS })]);
      return {
        ...scheduleSummary(status, last),
        ...schedulePolicy(status.policy),
        next_firings: schedules.preview(eventKey, PREVIEW),
        firings: firings.map(firing),
      };
    },
  );

  for (const [word, paused, words] of [
    ['pause', true, 'Fire no more until it is resumed'],
    ['resume', false, 'Fire again, from the next instant on'],
  ] as const) {
    app.post(
      `/schedules/:function_name/${word}`,
      {
        config: { role: 'deploy' },
        schema: {
          operationId: `${word}Schedule`,
          summary: words,
          description: 'Holds over restarts and new versions. Instants that pass while it is paused are left out.',
          tags: ['schedules'],
          params: ofFunction,
          response: { 200: ScheduleSummary, ...problems('not_found', 'storage_full', 'store_unavailable') },
        },
      },
      async (request) => summary(await schedules.setPaused(request.params.function_name, paused)),
    );
  }

  app.post(
    '/schedules/:function_name/run',
    {
      config: { role: 'deploy' },
      schema: {
        operationId: 'runSchedule',
        summary: 'Fire now, paused or not',
        description: 'Counts as a firing: for `overlap`, and among failures in a row.',
        tags: ['schedules'],
        params: ofFunction,
        response: {
          202: Type.Object({ id: Type.String(), status_url: Type.String() }),
          ...problems('not_found', 'conflict', 'draining', 'storage_full', 'store_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const id = await schedules.fireNow(request.params.function_name);
      const url = `/invocations/${id}`;
      return reply.code(202).header('location', url).send({ id, status_url: url });
    },
  );
}
