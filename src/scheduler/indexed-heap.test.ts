import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IndexedHeap } from './indexed-heap.ts';

const operation = fc.oneof(
  fc.record({ set: fc.nat(30), key: fc.integer({ min: -20, max: 20 }) }),
  fc.record({ delete: fc.nat(30) }),
  fc.record({ pop: fc.constant(true) }),
);

test('whatever is set, moved and deleted, the one on top has the smallest key', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const heap = new IndexedHeap<number>();
      const model = new Map<number, number>();
      for (const step of operations) {
        if ('set' in step) {
          heap.set(step.set, step.key);
          model.set(step.set, step.key);
        } else if ('delete' in step) {
          expect(heap.delete(step.delete)).toBe(model.delete(step.delete));
        } else {
          const top = heap.peek();
          if (top !== undefined) {
            heap.delete(top);
            model.delete(top);
          }
        }
        expect(heap.size).toBe(model.size);
        const top = heap.peek();
        if (top === undefined) expect(model.size).toBe(0);
        else expect(model.get(top)).toBe(Math.min(...model.values()));
        for (const [item, key] of model) expect(heap.keyOf(item)).toBe(key);
      }
    }),
  );
});
