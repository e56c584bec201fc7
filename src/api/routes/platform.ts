import type { Readable } from 'node:stream';
import { Type } from 'typebox';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';

export function platformRoutes(app: Api, { metrics, backups }: Pick<ApiDependencies, 'metrics' | 'backups'>): void {
  app.get(
    '/health',
    {
      config: { role: 'open' },
      schema: {
        operationId: 'getHealth',
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
        operationId: 'getMetrics',
        summary: 'Counters and gauges of the platform, for Prometheus',
        description: 'Text exposition format 0.0.4. docs/metrics.md says what each means.',
        tags: ['platform'],
        response: { 200: { description: 'One sample per line.', content: { 'text/plain': { schema: Type.String() } } } },
      },
    },
    async (_request, reply) => reply.type(metrics.contentType).send(await metrics.render()),
  );

  app.post(
    '/backup',
    {
      config: { role: 'admin', subject: (request) => ((request.body as { include_key?: boolean } | undefined)?.include_key ? 'with the key' : '') },
      schema: {
        operationId: 'makeBackup',
        summary: 'A backup of the whole platform, while it runs',
        description:
          'Functions with all versions, records, schedules, secrets (encrypted), tokens (hashed), and the queue with what waits in it. docs/deploy.md says how it is restored. ' +
          'Not in it: layers, which are built again, and settings.',
        tags: ['platform'],
        body: Type.Optional(
          Type.Object(
            {
              include_key: Type.Optional(
                Type.Boolean({ description: "With the file of the secrets' key. Whoever has the backup can read the secrets then.", default: false }),
              ),
            },
            { additionalProperties: false },
          ),
        ),
        response: {
          200: {
            description: 'A gzipped tar. It ends with its manifest: one that was cut short has none.',
            content: { 'application/gzip': { schema: Type.Unsafe<Readable>({ type: 'string', format: 'binary' }) } },
          },
          ...problems('invalid_request', 'conflict', 'store_unavailable', 'storage_full', 'backup_not_here'),
        },
      },
    },
    async (request, reply) => {
      const archive = await backups.make({ includeKey: request.body?.include_key === true });
      return reply.type('application/gzip').header('cache-control', 'no-store').send(archive);
    },
  );

  app.get(
    '/openapi.json',
    {
      config: { role: 'open' },
      schema: {
        operationId: 'getOpenApi',
        summary: 'This description',
        tags: ['platform'],
        response: { 200: Type.Object({}, { additionalProperties: true, description: 'OpenAPI 3.1.' }) },
      },
    },
    () => app.swagger() as unknown as Record<string, unknown>,
  );
}
