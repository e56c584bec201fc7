import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { RouteRole } from './access/roles.ts';
import { addExamples } from './add-examples.ts';
import type { Api } from './api.ts';
import { describeOperation } from './describe-operation.ts';

type ExamplesModule = typeof import('./examples/examples.ts');

const DOCS = '/docs';
/** Whoever may open the pages that explain the API may not do anything yet. */
const DOCS_ROLE: RouteRole = 'open';
/** What answers with the document. */
const DOCUMENTS = new Set(['/openapi.json', `${DOCS}/json`, `${DOCS}/yaml`]);

/**
 * OpenAPI 3.1 from the schemas of the routes, and Swagger UI at /docs. To be called before the hook that asks every route for its role.
 * @param tokens whether they are needed: only then Swagger UI asks for one
 */
export function describeApi(app: Api, tokens: boolean): void {
  // Read when the document is first asked for: a platform starts without them.
  let examples: ExamplesModule | undefined;
  const readExamples = async (): Promise<void> => {
    examples ??= await import('./examples/examples.ts');
  };
  app.addHook('onRoute', (route) => {
    // Routes of plugins can't declare a role themselves.
    if (route.url === DOCS || route.url.startsWith(`${DOCS}/`)) route.config = { ...route.config, role: DOCS_ROLE };
    if (DOCUMENTS.has(route.url)) route.onRequest = [readExamples, ...[route.onRequest ?? []].flat()];
  });
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
      servers: [{ url: '/', description: 'The platform that this comes from.' }],
      tags: [
        { name: 'functions', description: 'What is registered, and under which event keys.' },
        { name: 'versions', description: 'Immutable snapshots of functions, and which of them get the calls.' },
        { name: 'keys', description: 'Who may call a function that asks for an API key.' },
        { name: 'instances', description: 'Sandboxes that have loaded a function.' },
        { name: 'invocations', description: 'What ran, and how it ended.' },
        { name: 'dead letters', description: 'Asynchronous invocations that failed for good, kept with their input.' },
        { name: 'logs', description: 'What functions print.' },
        { name: 'schedules', description: 'Functions that are run by the clock.' },
        { name: 'queues', description: 'Functions that are run by messages of a RabbitMQ.' },
        { name: 'layers', description: 'Libraries for functions.' },
        { name: 'secrets', description: 'What functions must know and nobody else.' },
        { name: 'access', description: 'Tokens, and who changed what with them.' },
        { name: 'platform', description: 'The platform itself.' },
      ],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'A token: `hearth_…`.' } } },
    },
    hideUntagged: true,
    transform: ({ schema, url, route }) => ({ schema: describeOperation(schema, route, tokens, examples?.DETAILS ?? {}), url }),
    transformObject: (made) => addExamples('openapiObject' in made ? made.openapiObject : made.swaggerObject, examples?.EXAMPLES ?? {}),
  });
  app.register(swaggerUi, {
    routePrefix: DOCS,
    staticCSP: true,
    transformStaticCSP: (policy) => policy.replace(/\s*upgrade-insecure-requests;?/, ''),
    uiConfig: { docExpansion: 'list', deepLinking: true },
  });
}
