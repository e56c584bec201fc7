import { Type } from 'typebox';
import type { Actor } from '../access/authenticator.ts';
import type { Api } from '../api.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { TokenRole } from '../wire/access.ts';
import { problems } from '../wire/common.ts';

export function sessionRoutes(app: Api, { access, about, gatewayUrl }: Pick<ApiDependencies, 'access' | 'about' | 'gatewayUrl'>): void {
  app.get(
    '/session',
    {
      config: { role: 'read' },
      schema: {
        operationId: 'getSession',
        summary: 'Who asks, what they may, and of which platform',
        tags: ['access'],
        response: {
          200: Type.Object({
            name: Type.String({ description: 'Of the token; `local` without one.' }),
            role: TokenRole,
            tokens_needed: Type.Boolean({ description: 'Whether those without a token are refused.' }),
            version: Type.String({ description: 'Of the platform.', examples: ['0.1.0'] }),
            driver: Type.String({ description: 'What makes sandboxes.', examples: ['bubblewrap'] }),
            network: Type.String({ description: 'Of functions that name none.', examples: ['egress'] }),
            gateway_url: Type.String({
              description: 'Where functions are called, as the platform itself sees it.',
              examples: ['http://127.0.0.1:5000'],
            }),
          }),
          ...problems('store_unavailable'),
        },
      },
    },
    // The guard lets nobody here without one.
    ({ actor }) => {
      const { name, role } = actor as Actor;
      return { name, role, tokens_needed: access.required, ...about, gateway_url: gatewayUrl };
    },
  );
}
