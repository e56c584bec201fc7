import type { Readable } from 'node:stream';
import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { functionName, versionNumber } from '../wire/parameters.ts';

/** None of them is one that browsers send to other sites without asking. */
const ARCHIVES = ['application/zip', 'application/gzip', 'application/x-gzip', 'application/x-tar', 'application/octet-stream'];

const hash = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of a bundle.' });
const archive = { 'application/gzip': { schema: Type.Unsafe<Readable>({ type: 'string', format: 'binary' }) } };

export function bundleRoutes(app: Api, { bundles, store }: Pick<ApiDependencies, 'bundles' | 'store'>): void {
  app.register(async (scope: Api) => {
    // Handed on as it comes, once the guard has let the request in.
    scope.addContentTypeParser(ARCHIVES, (_request, payload, done) => done(null, payload));
    scope.post(
      '/bundles',
      {
        config: { role: 'deploy', subject: () => '' },
        bodyLimit: Number.MAX_SAFE_INTEGER,
        schema: {
          operationId: 'uploadBundle',
          summary: 'Upload a bundle: the files of a function, as a zip or tar.gz',
          description:
            'Name its hash as `bundle` in POST /functions. One that no function names within an hour is deleted. The limits are the settings `bundles.*`.',
          tags: ['functions'],
          consumes: ARCHIVES,
          response: {
            201: Type.Object({
              bundle: Type.String({ description: 'Its hash; the same files have the same one.' }),
              files: Type.Integer(),
              bytes: Type.Integer({ description: 'Unpacked.' }),
            }),
            ...problems('invalid_bundle', 'bundle_too_large', 'unsupported_media_type', 'storage_full'),
          },
        },
      },
      async (request, reply) => {
        if (!request.body)
          throw new HearthError('invalid_bundle', 'The request has no body. Send the archive as it is: curl --data-binary @app.zip.');
        const stored = await bundles.receive(request.body as Readable);
        return reply.code(201).send({ bundle: stored.hash, files: stored.files.length, bytes: stored.bytes });
      },
    );
  });

  app.get(
    '/bundles/:hash',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getBundle',
        summary: 'The files of a bundle, without what they hold',
        tags: ['functions'],
        params: Type.Object({ hash }),
        response: {
          200: Type.Object({
            bundle: Type.String(),
            bytes: Type.Integer(),
            files: Type.Array(Type.Object({ path: Type.String(), size: Type.Integer(), executable: Type.Boolean(), sha256: Type.String() })),
          }),
          ...problems('not_found', 'invalid_request'),
        },
      },
    },
    async (request) => {
      const stored = await bundles.get(request.params.hash);
      if (stored === undefined) throw new HearthError('not_found', `There is no bundle ${request.params.hash}.`);
      return { bundle: stored.hash, bytes: stored.bytes, files: [...stored.files] };
    },
  );

  app.get(
    '/functions/:function_name/versions/:number/bundle',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'downloadBundle',
        summary: 'The files of a version, as a tar.gz',
        tags: ['versions'],
        params: Type.Object({ function_name: functionName, number: versionNumber }),
        response: {
          200: { description: 'The same for the same files.', content: archive },
          ...problems('not_found', 'invalid_request', 'store_unavailable'),
        },
      },
    },
    async (request, reply) => {
      const { function_name: functionName, number } = request.params;
      const version = await store.version(functionName, number);
      if (version === undefined) throw new HearthError('not_found', `There is no version ${number} of a function "${functionName}".`);
      if (version.bundle === null)
        throw new HearthError(
          'not_found',
          `Version ${number} of "${functionName}" is one text; GET /functions/${functionName}/versions/${number} has it.`,
        );
      const stream = await bundles.archive(version.bundle.hash);
      if (stream === undefined)
        throw new HearthError('not_found', `The bundle of version ${number} of "${functionName}" is gone from the data folder.`);
      return reply.header('content-disposition', `attachment; filename="${functionName}-${number}.tar.gz"`).type('application/gzip').send(stream);
    },
  );
}
