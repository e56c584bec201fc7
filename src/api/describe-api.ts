import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { Api } from './api.ts';

/** OpenAPI 3.1 from the schemas of the routes, and Swagger UI at /docs. */
export function describeApi(app: Api): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Hearth control plane',
        version: '1',
        description:
          'Registers functions and shows what ran. Functions themselves are called at the gateway. Errors are problem details (RFC 9457); instants are ' +
          'milliseconds since 1970-01-01 UTC, durations are milliseconds.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: [
        { name: 'functions', description: 'What is registered, and under which event keys.' },
        { name: 'versions', description: 'Immutable snapshots of functions, and which of them get the calls.' },
        { name: 'instances', description: 'Sandboxes that have loaded a function.' },
        { name: 'invocations', description: 'What ran, and how it ended.' },
        { name: 'layers', description: 'Libraries for functions.' },
        { name: 'secrets', description: 'What functions must know and nobody else.' },
        { name: 'platform', description: 'The platform itself.' },
      ],
    },
    hideUntagged: true,
  });
  app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    transformStaticCSP: (policy) => policy.replace(/\s*upgrade-insecure-requests;?/, ''),
    uiConfig: { docExpansion: 'list', deepLinking: true },
  });
}
