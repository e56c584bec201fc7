import { Type } from 'typebox';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';

export function platformRoutes(app: Api, { metrics }: Pick<ApiDependencies, 'metrics'>): void {
  app.get(
    '/health',
    {
      config: { role: 'open' },
      schema: {
        summary: 'Whether the control plane is alive',
        tags: ['platform'],
        response: { 200: Type.Object({ status: Type.Literal('ok') }) },
      },
    },
    () => ({ status: 'ok' as const }),
  );

  app.get(
    '/metrics',
    {
      config: { role: 'read' },
      schema: {
        summary: 'Counters and gauges of the platform, for Prometheus',
        description: 'Text exposition format 0.0.4. docs/metrics.md says what each means.',
        tags: ['platform'],
        response: { 200: { description: 'One sample per line.', content: { 'text/plain': { schema: Type.String() } } } },
      },
    },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.render()),
  );

  app.get(
    '/openapi.json',
    {
      config: { role: 'open' },
      schema: {
        summary: 'This description',
        tags: ['platform'],
        response: { 200: Type.Object({}, { additionalProperties: true, description: 'OpenAPI 3.1.' }) },
      },
    },
    () => app.swagger() as unknown as Record<string, unknown>,
  );

  app.get(
    '/',
    {
      config: { role: 'open' },
      schema: { summary: 'Leads to the documentation', tags: ['platform'], response: { 302: Type.Null({ description: 'To /docs.' }) } },
    },
    (_request, reply) => {
      reply.redirect('/docs', 302);
    },
  );
}
