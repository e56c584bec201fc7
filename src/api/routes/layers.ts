import { Type } from 'typebox';
import { HearthError } from '../../errors.ts';
import type { LayerRecord } from '../../schemas/records.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { problems } from '../wire/common.ts';
import { LayerDefinition, librariesOf } from '../wire/layer-definition.ts';
import { Layer, layer } from '../wire/records.ts';

export function layerRoutes(app: Api, { layers, registry }: Pick<ApiDependencies, 'layers' | 'registry'>): void {
  function record(id: string): LayerRecord {
    const found = layers.list().find((candidate) => candidate.id === id);
    if (found === undefined) throw new HearthError('not_found', `Layer ${id} has been removed in the meantime.`);
    return found;
  }

  /** By id, else by name: the one that is ready, else the newest. */
  function find(nameOrId: string): LayerRecord {
    const all = layers.list();
    const named = all.filter((candidate) => candidate.name === nameOrId);
    const found = all.find((candidate) => candidate.id === nameOrId) ?? named.find(({ state }) => state === 'ready') ?? named[0];
    if (found === undefined) throw new HearthError('not_found', `There is no layer "${nameOrId}".`);
    return found;
  }

  app.get(
    '/layers',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'listLayers',
        summary: 'All layers',
        tags: ['layers'],
        response: { 200: Type.Object({ layers: Type.Array(Layer) }) },
      },
    },
    () => ({ layers: layers.list().map(layer) }),
  );

  app.post(
    '/layers',
    {
      config: { role: 'deploy', subject: (request) => (request.body as { name: string }).name },
      schema: {
        operationId: 'buildLayer',
        summary: 'Build a layer of libraries of Python or Node.js under a name',
        description: 'Answers when it is built, which may take minutes. Functions that are registered from then on get this one under the name.',
        tags: ['layers'],
        body: LayerDefinition,
        response: {
          200: Layer,
          ...problems(
            'malformed_request',
            'body_too_large',
            'unsupported_media_type',
            'invalid_request',
            'conflict',
            'layer_build_failed',
            'sandbox_unavailable',
            'store_unavailable',
          ),
        },
      },
    },
    async ({ body }) => {
      const { text, runtime } = librariesOf(body);
      return layer(record((await layers.ensure(text, body.name, runtime)).id));
    },
  );

  app.delete(
    '/layers/:layer',
    {
      config: { role: 'deploy' },
      schema: {
        operationId: 'deleteLayer',
        summary: 'Delete a layer, by name or id',
        tags: ['layers'],
        params: Type.Object({ layer: Type.String({ description: 'Name or id of a layer.', examples: ['science'] }) }),
        response: {
          200: Type.Object({ status: Type.Literal('ok'), deleted: Type.Boolean() }),
          ...problems('not_found', 'conflict', 'store_unavailable'),
        },
      },
    },
    async (request) => {
      const { id, name } = find(request.params.layer);
      const users = registry.usersOfLayer(id);
      if (users.length > 0) {
        throw new HearthError(
          'conflict',
          `Layer ${name ?? id} is used by ${users.slice(0, 5).join(', ')}${users.length > 5 ? ', …' : ''}; delete or change them first.`,
          {
            extra: { functions: users },
          },
        );
      }
      return { status: 'ok' as const, deleted: await layers.remove(id) };
    },
  );
}
