import type { FunctionVersion } from '../schemas/function.ts';
import type { Store } from './store.ts';

const PAGE = 4000;

/**
 * Begins to read the current version of every function at once, a page after the other, so that the store's thread works while other parts of the platform
 * are being made. The pages come in order of the functions' names. @throws HearthError store_unavailable while they are gone through
 */
export function readVersions(store: Pick<Store, 'currentVersions'>): AsyncIterable<readonly FunctionVersion[]> {
  const pages: Promise<readonly FunctionVersion[]>[] = [];
  const read = (after: string): void => {
    const page = store.currentVersions({ after, limit: PAGE });
    pages.push(page);
    page.then(
      (versions) => {
        const last = versions.at(-1);
        if (last !== undefined) read(last.functionName);
      },
      // Whoever goes through them meets it.
      () => undefined,
    );
  };
  read('');
  return {
    async *[Symbol.asyncIterator]() {
      for (let index = 0; ; index++) {
        const page = (await pages[index]) as readonly FunctionVersion[];
        if (page.length === 0) return;
        yield page;
      }
    },
  };
}
