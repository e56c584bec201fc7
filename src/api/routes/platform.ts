import { Type } from 'typebox';
import type { Api } from '../api.ts';

export function platformRoutes(app: Api): void {
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
