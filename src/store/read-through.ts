import type { RecordWriter } from './record-writer.ts';
import type { Store } from './store.ts';

export type RecordReader = Pick<Store, 'invocation' | 'invocations' | 'instance' | 'instances'>;

/**
 * Records are written behind; who reads them shall not notice. What waits is written first, so that an answer that has been seen has its record. When that
 * fails the store is read as it is: the writer tries again by itself.
 */
export function readThrough(store: RecordReader, writer: Pick<RecordWriter, 'flush'>): RecordReader {
  const written = () => writer.flush().catch(() => undefined);
  return {
    invocation: async (id) => {
      const found = await store.invocation(id);
      if (found) return found;
      await written();
      return store.invocation(id);
    },
    invocations: async (filter) => {
      await written();
      return store.invocations(filter);
    },
    instance: async (id) => {
      await written();
      return store.instance(id);
    },
    instances: async (filter) => {
      await written();
      return store.instances(filter);
    },
  };
}
