import { randomUUID } from 'node:crypto';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import { HearthError } from '../errors.ts';
import { guard } from './access/guard.ts';
import type { Api } from './api.ts';
import type { ApiDependencies } from './dependencies.ts';
import { describeApi } from './describe-api.ts';
import { readLateBodies } from './late-bodies.ts';
import { answerClientError, sendProblem } from './problems.ts';
import { RouteTable } from './route-table.ts';
import { auditRoutes } from './routes/audit.ts';
import { bundleRoutes } from './routes/bundles.ts';
import { callRoutes } from './routes/calls.ts';
import { dashboardRoutes } from './routes/dashboard.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { functionRoutes } from './routes/functions.ts';
import { instanceRoutes } from './routes/instances.ts';
import { invocationRoutes } from './routes/invocations.ts';
import { invokeRoutes } from './routes/invoke.ts';
import { keyRoutes } from './routes/keys.ts';
import { layerRoutes } from './routes/layers.ts';
import { logRoutes } from './routes/logs.ts';
import { nodeRoutes } from './routes/nodes.ts';
import { platformRoutes } from './routes/platform.ts';
import { queueRoutes } from './routes/queues.ts';
import { scheduleRoutes } from './routes/schedules.ts';
import { secretRoutes } from './routes/secrets.ts';
import { seriesRoutes } from './routes/series.ts';
import { sessionRoutes } from './routes/session.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { trafficRoutes } from './routes/traffic.ts';
import { triggerRoutes } from './routes/trigger.ts';
import { versionRoutes } from './routes/versions.ts';
import { serializerCompiler, validatorCompiler } from './validation.ts';

const BODY_LIMIT_BYTES = 8 * 1024 * 1024;
/** For a whole request to arrive, in milliseconds. */
const REQUEST_TIMEOUT_MS = 60_000;

export interface ApiOptions {
  /** How long `close` waits for requests under way, a layer's build among them, before it breaks them off. Milliseconds, default 5000. */
  closeGraceMs?: number;
}

/** The control plane. The caller listens and closes; nothing runs before `listen` or `ready`. */
export function createApi(deps: ApiDependencies, { closeGraceMs = 5_000 }: ApiOptions = {}): FastifyInstance {
  const app = Fastify({
    loggerInstance: deps.log,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // The onResponse hook below logs instead, reads at a lower level.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    // Names are bounded by their schemas, which say so better than a 404.
    routerOptions: { maxParamLength: 4096 },
    frameworkErrors: (error, request, reply) => {
      void sendProblem(error, request, reply);
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, deps.log),
  }).withTypeProvider<TypeBoxTypeProvider>();

  acceptJsonOnly(app);
  readLateBodies(app);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  answerOtherMethods(app);
  app.addHook('onResponse', async (request, reply) => {
    const fields = { method: request.method, url: request.url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) };
    if (request.method === 'GET' || request.method === 'HEAD') request.log.debug(fields, 'control plane');
    else request.log.info(fields, 'control plane');
  });

  endWithin(app, closeGraceMs);

  describeApi(app, deps.access.required);
  guard(app, { policy: deps.access, store: deps.store, log: deps.log });
  // After the plugins of describeApi, which see only routes that are added once they are there.
  app.register(async (scope: Api) => {
    dashboardRoutes(scope, deps);
    platformRoutes(scope, deps);
    nodeRoutes(scope, deps);
    sessionRoutes(scope, deps);
    functionRoutes(scope, deps);
    bundleRoutes(scope, deps);
    triggerRoutes(scope, deps);
    instanceRoutes(scope, deps);
    versionRoutes(scope, deps);
    trafficRoutes(scope, deps);
    keyRoutes(scope, deps);
    invocationRoutes(scope, deps);
    logRoutes(scope, deps);
    invokeRoutes(scope, deps);
    callRoutes(scope, deps);
    deadLetterRoutes(scope, deps);
    scheduleRoutes(scope, deps);
    queueRoutes(scope, deps);
    seriesRoutes(scope, deps);
    layerRoutes(scope, deps);
    secretRoutes(scope, deps);
    tokenRoutes(scope, deps);
    auditRoutes(scope, deps);
  });
  return app as unknown as FastifyInstance;
}

/**
 * Only application/json is read. Browsers send that across origins after asking first, and get no leave here: a second line behind the guard's look at
 * the Origin.
 */
function acceptJsonOnly(app: Api): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // Clients that name the type on a DELETE without a body mean no harm; where a body is needed its schema says so.
    if (body === '') done(null, undefined);
    else parse(request, body as string, done);
  });
}

/** Bounds `close`, which waits for every request under way otherwise. */
function endWithin(app: Api, graceMs: number): void {
  let timer: NodeJS.Timeout | undefined;
  app.addHook('preClose', async () => {
    timer = setTimeout(() => app.server.closeAllConnections(), graceMs);
  });
  app.addHook('onClose', async () => clearTimeout(timer));
}

function answerOtherMethods(app: Api): void {
  const table = new RouteTable();
  app.addHook('onRoute', (route) => table.add(route));
  app.setNotFoundHandler((request, reply) => {
    const methods = table.methodsOf(request.url);
    if (methods === undefined) throw new HearthError('not_found', `There is nothing at ${request.method} ${request.url}; see /docs.`);
    const allow = [...methods, 'OPTIONS'];
    if (request.method === 'OPTIONS') return reply.code(204).header('allow', allow.join(', ')).send();
    throw new HearthError('method_not_allowed', `${request.url} takes ${allow.join(', ')}, not ${request.method}.`, { allow });
  });
}
