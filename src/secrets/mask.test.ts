import { describe, expect, it } from 'vitest';
import { createMask } from './mask.ts';

describe('the mask of secrets', () => {
  it('takes values out of a text, the longest first', () => {
    const mask = createMask(['password1', 'password123', '$& \\d+ ($1)']);
    expect(mask?.('password123, password1, password12, $& \\d+ ($1).')).toBe('***, ***, ***2, ***.');
  });

  it('looks for no value that may stand there by chance', () => {
    expect(createMask(['', 'yes', '1234567'])).toBeUndefined();
    expect(createMask(['yes', '12345678'])?.('yes 12345678')).toBe('yes ***');
  });
});
