import type { StoredBundle } from '../bundles/bundle-file.ts';
import type { Bundles } from '../bundles/bundles.ts';
import { HearthError } from '../errors.ts';
import { DEFAULT_ENTRIES } from '../schemas/bundle.ts';
import { type BundleRef, type FunctionDefinition, MAX_CODE_BYTES } from '../schemas/function.ts';
import { runtimeFamily } from '../schemas/runtime-name.ts';
import { isProgram } from './check-program.ts';

export interface ResolvedCode {
  /** Of a bundle the text of its entry. */
  code: string;
  bundle: BundleRef | null;
}

/** Where the definition's code is; files that it brings along become a bundle. @throws HearthError invalid_bundle, bundle_too_large, unknown_bundle */
export async function resolveCode(definition: FunctionDefinition, bundles: Pick<Bundles, 'fromFiles' | 'get' | 'text'>): Promise<ResolvedCode> {
  const { function_code: code, files, bundle } = definition;
  if (code !== undefined) return { code, bundle: null };
  const stored = files === undefined ? await bundles.get(bundle as string) : await bundles.fromFiles(files);
  if (stored === undefined) {
    throw new HearthError(
      'unknown_bundle',
      `bundle: there is none of the hash ${bundle}. Upload it first (POST /bundles); one that no function names is kept for an hour.`,
    );
  }
  const entry = definition.entry ?? defaultEntry(definition, stored);
  const text = () => bundles.text(stored.hash, entry, MAX_CODE_BYTES);
  // A program may be a binary, or be named by its command alone.
  const isText = !isProgram(definition.style);
  return { code: isText ? await text() : await text().catch(() => ''), bundle: { hash: stored.hash, entry } };
}

/** The first of the usual ones that is there. */
function defaultEntry({ runtime, style }: FunctionDefinition, { files }: StoredBundle): string {
  const usual = style === 'lambda' ? ['bootstrap'] : DEFAULT_ENTRIES[runtimeFamily(runtime ?? 'python')];
  return usual.find((path) => files.some((file) => file.path === path)) ?? (usual[0] as string);
}
