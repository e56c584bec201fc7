import { Type } from 'typebox';

/** The entry of a bundle that names none: the first of these that it has. */
export const DEFAULT_ENTRIES = {
  python: ['main.py'],
  nodejs: ['index.mjs', 'index.js', 'index.ts', 'index.mts', 'index.cjs'],
} as const;

export const BundleHash = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'The hash of a bundle that was uploaded (POST /bundles).' });

export const EntryPath = Type.String({
  minLength: 1,
  maxLength: 1024,
  description:
    'Path, in the bundle, of the file that is the function. Default: `main.py`, of Node.js `index.mjs`, `index.js`, `index.ts`, `index.mts` or `index.cjs`, of `"style": "lambda"` `bootstrap`.',
});

export const BundleFiles = Type.Record(
  Type.String(),
  Type.Union([
    Type.String({ description: 'Text.' }),
    Type.Object(
      { base64: Type.String(), executable: Type.Optional(Type.Boolean({ description: 'Default false.' })) },
      { additionalProperties: false, description: 'Bytes.' },
    ),
  ]),
  { description: 'The files of the function: relative paths and what the files hold.' },
);
