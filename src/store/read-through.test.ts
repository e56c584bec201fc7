import { describe, expect, it } from 'vitest';
import type { InvocationRecord } from '../schemas/records.ts';
import { type RecordReader, readThrough } from './read-through.ts';

const record = { id: 'a' } as InvocationRecord;

/** A store whose records appear with the writer's flush. */
function behind(flush: () => Promise<void>) {
  const written: InvocationRecord[] = [];
  const store = {
    invocation: async (id: string) => written.find((candidate) => candidate.id === id),
    invocations: async () => [...written],
  } as unknown as RecordReader;
  return { written, reader: readThrough(store, { flush }) };
}

describe('readThrough', () => {
  it('finds what was still waiting to be written', async () => {
    const parts = behind(async () => void parts.written.push(record));
    expect(await parts.reader.invocation('a')).toBe(record);
  });

  it('lists what was still waiting to be written', async () => {
    const parts = behind(async () => void parts.written.push(record));
    expect(await parts.reader.invocations({ limit: 10 })).toEqual([record]);
  });

  it('reads on when the store can not be written', async () => {
    const parts = behind(() => Promise.reject(new Error('disk full')));
    parts.written.push(record);
    expect(await parts.reader.invocations({ limit: 10 })).toEqual([record]);
    expect(await parts.reader.invocation('b')).toBeUndefined();
  });
});
