import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';

/** Versions with instances that a node tells of; the rest is left out. */
export const MAX_ADVERTISED = 500;

/** What a node tells all others of itself, several times a second. */
export const Advert = Type.Object({
  id: Type.String({ minLength: 1 }),
  name: Type.String(),
  /** Where it takes calls over. */
  queue: Type.String({ minLength: 1 }),
  /** Instances that it could start without another's going; 0 while it drains. */
  room: Type.Integer(),
  /** Calls that run there or wait. */
  load: Type.Integer(),
  cores: Type.Integer(),
  /** Of versions that have instances: calls that ready ones would take at once, and the mean time of a start in milliseconds (0: unknown). */
  warm: Type.Array(Type.Tuple([Type.String(), Type.Integer(), Type.Integer()])),
});
export type Advert = Static<typeof Advert>;

const advert = Compile(Advert);

/** How a version is named between nodes: numbers count on, whatever becomes of the function. */
export function versionKey(version: { functionName: string; number: number }): string {
  return `${version.functionName}@${version.number}`;
}

/** Undefined when it is none, or one of another release that can't be read. */
export function parseAdvert(content: Buffer): Advert | undefined {
  try {
    const value: unknown = JSON.parse(content.toString());
    return advert.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
