import { Type } from 'typebox';

export const FunctionName = Type.String({
  pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$',
  description: 'Letters, digits, `_`, `-` and `.`; at most 128 characters.',
  examples: ['echo'],
});
