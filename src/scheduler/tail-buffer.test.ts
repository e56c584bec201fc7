import { describe, expect, it } from 'vitest';
import { TailBuffer } from './tail-buffer.ts';

describe('the tail of an output', () => {
  it('is the whole as long as that is within the bound, and null when nothing was written', () => {
    const tail = new TailBuffer(1000);
    expect(tail.text()).toBeNull();
    tail.push(Buffer.alloc(0));
    expect(tail.text()).toBeNull();
    for (const text of ['one ', '', 'two ', 'three']) tail.push(Buffer.from(text));
    expect(tail.text()).toBe('one two three');
  });

  it('is the last bytes beyond that, and says how many are missing', () => {
    for (const size of [1, 7, 99, 100, 101, 1000]) {
      const tail = new TailBuffer(100);
      let whole = '';
      for (let n = 0; whole.length < 3000; n++) {
        const piece = String.fromCharCode(97 + (n % 26)).repeat(size);
        tail.push(Buffer.from(piece));
        whole += piece;
        const kept = whole.slice(-100);
        const dropped = whole.length - kept.length;
        expect(tail.text()).toBe(dropped > 0 ? `… ${dropped} bytes before this were dropped …\n${kept}` : kept);
      }
    }
  });

  it('does not change with what it was given', () => {
    const tail = new TailBuffer(100);
    const read = Buffer.from('before');
    tail.push(read);
    read.fill('x');
    expect(tail.text()).toBe('before');
  });
});
