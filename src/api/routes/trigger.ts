import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies, TriggerRequest } from '../dependencies.ts';
import { problems } from '../wire/common.ts';

export function triggerRoutes(app: Api, deps: Pick<ApiDependencies, 'trigger'>): void {
  /** No function for the event key is no failure of the trigger: nothing was to be run, and nothing was. */
  async function instancesFor(request: TriggerRequest): Promise<string[]> {
    try {
      return (await deps.trigger(request)).instanceIds;
    } catch (error) {
      if (error instanceof HearthError && (error.code === 'no_function' || error.code === 'method_not_allowed')) return [];
      throw error;
    }
  }

  app.post(
    '/functions/trigger',
    {
      config: { role: 'deploy', subject: (request) => subjectOf(request.body as { http_verb: string; http_path: string }) },
      schema: {
        operationId: 'triggerFunctions',
        summary: 'Run the functions of an event key',
        description:
          'Answers once each has an instance, not when they are done. What a function answers goes nowhere; its record tells how it ended.',
        tags: ['functions'],
        body: Type.Object(
          {
            http_header: Type.String({ description: '`Name: value` lines; an X-Correlation-Id among them is used.' }),
            http_body: Type.String({
              description: 'What a script finds as HTTP_BODY, verbatim: `{"body": …}`. Functions of other styles are given the body that is in it.',
            }),
            http_path: Type.String({ maxLength: 16_384 }),
            http_verb: Type.String({ minLength: 1, maxLength: 64 }),
          },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({
            status: Type.Literal('ok'),
            container_ids: Type.Array(Type.String(), { description: 'Ids of instances, one for each function; none when there is no function.' }),
          }),
          ...problems(
            'malformed_request',
            'body_too_large',
            'unsupported_media_type',
            'invalid_request',
            'unknown_version',
            'queue_full',
            'function_load_failed',
            'sandbox_unavailable',
            'draining',
            'deadline_exceeded',
          ),
        },
      },
    },
    async ({ body }) => {
      const request = { headerLines: body.http_header, body: body.http_body, path: body.http_path, verb: body.http_verb };
      return { status: 'ok' as const, container_ids: await instancesFor(request) };
    },
  );
}

/** Without the query, which may hold secrets. */
function subjectOf({ http_verb: verb, http_path: path }: { http_verb: string; http_path: string }): string {
  return `${verb} ${path.split('?', 1)[0]}`;
}
