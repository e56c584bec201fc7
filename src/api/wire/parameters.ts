import { Type } from 'typebox';

/** What paths and queries name things by. Bounded by what there is, not by patterns: a name that nothing has is no malformed one. */
export const functionName = Type.String({ description: 'Name of a function.', examples: ['echo'] });
export const invocationId = Type.String({
  description: 'Id of an invocation, which its `X-Correlation-Id` has too.',
  examples: ['7a9d0f2c-54be-4c1f-a6f0-0f2c7a9d54be'],
});
export const instanceId = Type.String({
  description: 'Id of an instance, which its answers have as `X-Serverless-Instance-Id`.',
  examples: ['3f6c1d5e-8d0b-4a5e-9b5a-1d2f3c4b5a69'],
});
export const versionNumber = Type.Integer({
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'Number of a version; counts up from 1.',
  examples: [3],
});

/** Of paths that name a function and nothing else. */
export const ofFunction = Type.Object({ function_name: functionName });
