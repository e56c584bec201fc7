import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import { SecretName } from '../../schemas/secret.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { Secret, SecretSet, secretOnTheWire } from '../wire/secrets.ts';

const params = Type.Object({ name: SecretName });

/** Values come in here and never go out. */
export function secretRoutes(app: Api, { secrets, registry }: Pick<ApiDependencies, 'secrets' | 'registry'>): void {
  app.get(
    '/secrets',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'listSecrets',
        summary: 'All secrets, without their values',
        tags: ['secrets'],
        response: { 200: Type.Object({ secrets: Type.Array(Secret) }) },
      },
    },
    () => ({ secrets: secrets.list().map((secret) => secretOnTheWire(secret, registry.usersOfSecret(secret.name))) }),
  );

  app.put(
    '/secrets/:name',
    {
      config: { role: 'deploy' },
      schema: {
        operationId: 'setSecret',
        summary: 'Set a secret, or give it another value',
        description:
          'Instances that hold the old value take no more calls and go when what they run is over: calls that come after the answer get the new one.',
        tags: ['secrets'],
        params,
        body: Type.Object(
          { value: Type.String({ maxLength: 64 * 1024, description: 'At most 64 KiB as UTF-8, without NUL characters. It is never returned.' }) },
          { additionalProperties: false },
        ),
        response: {
          200: SecretSet,
          ...problems('malformed_request', 'body_too_large', 'unsupported_media_type', 'invalid_request', 'store_unavailable'),
        },
      },
    },
    async (request) => {
      const { secret, changed } = await secrets.put(request.params.name, request.body.value);
      return { status: 'ok' as const, ...secretOnTheWire(secret, registry.usersOfSecret(secret.name)), changed };
    },
  );

  app.delete(
    '/secrets/:name',
    {
      config: { role: 'deploy' },
      schema: {
        operationId: 'deleteSecret',
        summary: 'Delete a secret',
        description: 'A name that is not there is no error.',
        tags: ['secrets'],
        params,
        querystring: Type.Object(
          { force: Type.Optional(Type.Boolean({ description: 'Even while functions name it: their instances go, and others can not be started.' })) },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({ status: Type.Literal('ok'), deleted: Type.Boolean({ description: 'Whether there was one.' }) }),
          ...problems('invalid_request', 'conflict', 'store_unavailable'),
        },
      },
    },
    async (request) => {
      const { name } = request.params;
      const users = registry.usersOfSecret(name);
      if (users.length > 0 && request.query.force !== true) {
        throw new HearthError(
          'conflict',
          `The secret ${name} is named by ${users.slice(0, 5).join(', ')}${users.length > 5 ? ', …' : ''}; delete or change them first, or force it: they can not be started without it.`,
          { extra: { functions: users } },
        );
      }
      return { status: 'ok' as const, deleted: await secrets.remove(name) };
    },
  );

  app.post(
    '/secrets/rotate-key',
    {
      config: { role: 'admin' },
      schema: {
        operationId: 'rotateSecretsKey',
        summary: 'Make a new key, and encrypt all secrets anew with it',
        description: 'All or none. Functions notice nothing. A key that comes from the configuration can not be replaced from here.',
        tags: ['secrets'],
        response: {
          200: Type.Object({
            status: Type.Literal('ok'),
            key_id: Type.String({ description: 'Tells keys apart, and nothing about them.' }),
            secrets: Type.Integer({ description: 'How many there are.' }),
          }),
          ...problems('conflict', 'secret_unreadable', 'store_unavailable'),
        },
      },
    },
    async () => {
      const { keyId, secrets: count } = await secrets.rotateKey();
      return { status: 'ok' as const, key_id: keyId, secrets: count };
    },
  );
}
