import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, printableJson } from './printable.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const ORDERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/;

describe('text for a terminal', () => {
  it('shows escapes instead of giving them, and leaves lines, tabs and other letters alone', () => {
    expect(printable('\u001b]0;title\u0007 \u009b2J\r\u202eevil')).toBe('\\u001b]0;title\\u0007 \\u009b2J\\u000d\\u202eevil');
    expect(printable('é 猫\n\tline')).toBe('é 猫\n\tline');
  });

  it('in JSON stays JSON, and its strings say the same, made printable', () => {
    const text = fc.string({
      unit: fc.oneof(fc.constantFrom('\\', '"', '\n', '\u001b', '\u0007', '\u009b', '\u007f', 'u001b', '\u202e', 'é'), fc.string({ maxLength: 3 })),
    });
    fc.assert(
      fc.property(text, (value) => {
        const line = printableJson(JSON.stringify({ value }));
        expect(line).not.toMatch(ORDERS);
        expect((JSON.parse(line) as { value: string }).value).toBe(printable(value));
      }),
    );
  });
});
