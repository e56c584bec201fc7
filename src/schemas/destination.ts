import { Type } from 'typebox';
import { FunctionName } from './function-name.ts';
import { SecretName } from './secret.ts';

/** One of `function`, `url` and `exchange`; which belong together is checked at registration. */
const DestinationDefinition = Type.Object(
  {
    function: Type.Optional(FunctionName),
    url: Type.Optional(Type.String({ minLength: 1, maxLength: 2048, description: 'http or https; is sent the outcome by POST.' })),
    secret: Type.Optional({ ...SecretName, description: 'Of `url`: name of the secret (PUT /secrets/{name}) that signs what is sent.' }),
    exchange: Type.Optional(
      Type.String({ maxLength: 255, description: 'A RabbitMQ exchange of the broker that `amqp.url` names; empty: the default one.' }),
    ),
    routing_key: Type.Optional(Type.String({ maxLength: 255, description: 'Of `exchange`; empty when left out.' })),
  },
  { additionalProperties: false },
);

export const DestinationsDefinition = Type.Object(
  {
    on_success: Type.Optional({ ...DestinationDefinition, description: 'When it has succeeded.' }),
    on_failure: Type.Optional({ ...DestinationDefinition, description: 'When it has failed for good, and has become a dead letter.' }),
    callback_secret: Type.Optional({ ...SecretName, description: 'Name of the secret that signs what is sent to callback URLs.' }),
  },
  { additionalProperties: false, description: 'Where the final outcomes of asynchronous invocations are sent.' },
);

/** Where one outcome goes. */
export type Destination = { readonly kind: 'function'; readonly name: string } | UrlDestination | ExchangeDestination;

export interface UrlDestination {
  readonly kind: 'url';
  readonly url: string;
  /** Name of the secret that signs what is sent; null: it is not signed. */
  readonly secret: string | null;
}

export interface ExchangeDestination {
  readonly kind: 'exchange';
  readonly exchange: string;
  readonly routingKey: string;
}

export interface Destinations {
  readonly onSuccess: Destination | null;
  /** When it has become a dead letter. */
  readonly onFailure: Destination | null;
  /** Name of the secret that signs what is sent to callback URLs; null: it is not signed. */
  readonly callbackSecret: string | null;
}
