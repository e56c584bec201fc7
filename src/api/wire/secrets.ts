import { type Static, Type } from 'typebox';
import { SecretName } from '../../schemas/secret.ts';
import type { SecretInfo } from '../../secrets/secrets.ts';
import { Instant } from './common.ts';

const members = {
  name: SecretName,
  version: Type.Integer({ description: 'Counts up from 1 with each new value.', examples: [1] }),
  updated_at: Instant,
  functions: Type.Array(Type.String(), { description: 'Those that have a version in service that names it.' }),
};

/** A secret as clients see it: everything but the value. */
export const Secret = Type.Object(members, { title: 'Secret' });
type Secret = Static<typeof Secret>;

export const SecretSet = Type.Object({
  status: Type.Literal('ok'),
  ...members,
  changed: Type.Boolean({ description: 'False when it had that value already.' }),
});

export function secretOnTheWire({ name, version, updatedAt }: SecretInfo, functions: string[]): Secret {
  return { name, version, updated_at: updatedAt, functions };
}
