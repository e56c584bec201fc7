import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';

/**
 * What the page may do: run and load what comes from here, ask this control plane, nothing else. The editor's styles are adopted style sheets of a shadow
 * root, so that not even they need `unsafe-inline`.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
};

/** The page of the control plane, at `/`. Its files hold nothing of the platform: whoever reaches the address may read them, and signs in to see more. */
export function dashboardRoutes(app: Api, { dashboardFolder }: Pick<ApiDependencies, 'dashboardFolder'>): void {
  const built = existsSync(join(dashboardFolder, 'index.html'));
  if (built) {
    app.register(fastifyStatic, { root: dashboardFolder, serve: false, preCompressed: true, index: false });
    app.get('/assets/*', { config: { role: 'open' }, schema: { hide: true } }, (request, reply) =>
      // The names have a hash of what is in them.
      reply.sendFile((request.params as { '*': string })['*'], join(dashboardFolder, 'assets'), { immutable: true, maxAge: '365d' }),
    );
  }
  app.get(
    '/',
    {
      config: { role: 'open' },
      schema: {
        operationId: 'getDashboard',
        summary: 'The dashboard',
        tags: ['platform'],
        response: { 200: { description: 'A page.', content: { 'text/html': { schema: Type.String() } } } },
      },
    },
    (_request, reply) => {
      reply.headers(PAGE_HEADERS);
      if (built) sendPage(reply, dashboardFolder);
      else reply.type('text/html; charset=utf-8').header('cache-control', 'no-store').send(NOT_BUILT);
    },
  );
}

/** Asked for again each time, and not sent again while it is the same: it names the files of its own build. */
function sendPage(reply: FastifyReply, folder: string): void {
  reply.header('cache-control', 'no-cache').sendFile('index.html', folder, { cacheControl: false });
}

const NOT_BUILT = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Hearth</title>
<h1>The dashboard is not built</h1>
<p>The platform runs; its page is missing. In the folder of the checkout, run</p>
<pre>scripts/setup</pre>
<p>or, where npm has installed everything else, <code>npm run build:dashboard</code>. Then start the platform again.</p>
<p>Until then: <a href="/docs">the API and its documentation</a>, and the command <code>hearth</code>.</p>
</html>
`;
