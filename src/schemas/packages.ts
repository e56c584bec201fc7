import { Type } from 'typebox';

const MAX_DESCRIPTION_CHARACTERS = 64 * 1024;
const MAX_LOCK_CHARACTERS = 512 * 1024;

/** A file of npm, as an object or text. */
const jsonFile = (description: string, maxLength: number) =>
  Type.Union([Type.Object({}, { additionalProperties: true }), Type.String({ maxLength })], { description });

/** @param madeInto what becomes of it */
export const PackageJson = (madeInto: string) =>
  jsonFile(`Of Node.js: a package.json, as an object or text; its dependencies are built into ${madeInto}.`, MAX_DESCRIPTION_CHARACTERS);

export const PackageLock = jsonFile(
  'The package-lock.json that belongs to it: with one, `npm ci` installs exactly what it says.',
  MAX_LOCK_CHARACTERS,
);

export const AllowScripts = Type.Boolean({
  description: 'Whether packages may run their install scripts, in the sandbox that they are installed in. Default false.',
});
