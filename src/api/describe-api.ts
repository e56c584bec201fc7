import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifySchema, RouteOptions } from 'fastify';
import type { RouteRole } from './access/roles.ts';
import type { Api } from './api.ts';
import { problems } from './wire/common.ts';

const DOCS = '/docs';
/** Whoever may open the pages that explain the API may not do anything yet. */
const DOCS_ROLE: RouteRole = 'open';

/**
 * OpenAPI 3.1 from the schemas of the routes, and Swagger UI at /docs. To be called before the hook that asks every route for its role.
 * @param tokens whether they are needed: only then Swagger UI asks for one
 */
export function describeApi(app: Api, tokens: boolean): void {
  // Routes of plugins can't declare a role themselves.
  app.addHook('onRoute', (route) => {
    if (route.url === DOCS || route.url.startsWith(`${DOCS}/`)) route.config = { ...route.config, role: DOCS_ROLE };
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
      tags: [
        { name: 'functions', description: 'What is registered, and under which event keys.' },
        { name: 'versions', description: 'Immutable snapshots of functions, and which of them get the calls.' },
        { name: 'keys', description: 'Who may call a function that asks for an API key.' },
        { name: 'instances', description: 'Sandboxes that have loaded a function.' },
        { name: 'invocations', description: 'What ran, and how it ended.' },
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
    transform: ({ schema, url, route }) => ({ schema: withAccess(schema, route, tokens), url }),
  });
  app.register(swaggerUi, {
    routePrefix: DOCS,
    staticCSP: true,
    transformStaticCSP: (policy) => policy.replace(/\s*upgrade-insecure-requests;?/, ''),
    uiConfig: { docExpansion: 'list', deepLinking: true },
  });
}

/** Adds to what a route says of itself what the guard asks for on its behalf. */
function withAccess(schema: FastifySchema | undefined, route: RouteOptions, tokens: boolean): FastifySchema {
  const role = route.config?.role;
  if (schema === undefined || role === undefined || schema.hide === true) return schema ?? {};
  const refusals =
    role === 'open'
      ? problems('host_not_allowed')
      : problems('unauthenticated', 'forbidden', 'cross_origin', 'host_not_allowed', 'too_many_failures');
  const described: FastifySchema & { 'x-hearth-role': RouteRole } = {
    ...schema,
    'x-hearth-role': role,
    response: { ...refusals, ...(schema.response as object | undefined) },
  };
  // Roles stand in the place of scopes (OpenAPI 3.1 §4.8.30).
  if (tokens && role !== 'open') described.security = [{ bearer: [role] }];
  return described;
}
