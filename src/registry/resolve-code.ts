import type { StoredBundle } from '../bundles/bundle-file.ts';
import type { Bundles } from '../bundles/bundles.ts';
import { HearthError } from '../errors.ts';
import { DEFAULT_ENTRIES } from '../schemas/bundle.ts';
import { type BundleRef, type FunctionDefinition, MAX_CODE_BYTES } from '../schemas/function.ts';
import { runtimeFamily } from '../schemas/runtime-name.ts';
import { isProgram } from './check-program.ts';
import { type ModuleFile, moduleFile } from './module-file.ts';

export interface ResolvedCode {
  /** Of a bundle the text of its entry. */
  code: string;
  bundle: BundleRef | null;
  /** Of a bundle's entry that is a module of Node.js; null otherwise. */
  file: ModuleFile | null;
}

/** Where the definition's code is; files that it brings along become a bundle. @throws HearthError invalid_bundle, bundle_too_large, unknown_bundle */
export async function resolveCode(definition: FunctionDefinition, bundles: Pick<Bundles, 'fromFiles' | 'get' | 'text'>): Promise<ResolvedCode> {
  const { function_code: code, files, bundle } = definition;
  if (code !== undefined) return { code, bundle: null, file: null };
  const stored = files === undefined ? await bundles.get(bundle as string) : await bundles.fromFiles(files);
  if (stored === undefined) {
    throw new HearthError(
      'unknown_bundle',
      `bundle: there is none of the hash ${bundle}. Upload it first (POST /bundles); one that no function names is kept for an hour.`,
    );
  }
  const entry = definition.entry ?? defaultEntry(definition, stored);
  const text = (path: string) => bundles.text(stored.hash, path, MAX_CODE_BYTES);
  const ref = { hash: stored.hash, entry };
  // A program may be a binary, or be named by its command alone.
  if (isProgram(definition.style)) return { code: await text(entry).catch(() => ''), bundle: ref, file: null };
  const isNode = runtimeFamily(definition.runtime ?? 'python') === 'nodejs';
  return { code: await text(entry), bundle: ref, file: isNode ? await moduleFile(entry, stored, text) : null };
}

/** The first of the usual ones that is there. */
function defaultEntry({ runtime, style }: FunctionDefinition, { files }: StoredBundle): string {
  const usual = style === 'lambda' ? ['bootstrap'] : DEFAULT_ENTRIES[runtimeFamily(runtime ?? 'python')];
  return usual.find((path) => files.some((file) => file.path === path)) ?? (usual[0] as string);
}
