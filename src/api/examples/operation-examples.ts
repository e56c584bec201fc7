/** Values by what each of them shows; text where the media type is no JSON. */
export type Examples = Readonly<Record<string, unknown>>;

/** Of one operation, as plain data. */
export interface OperationExamples {
  /** Of a request body in JSON. */
  readonly body?: Examples;
  /** Of request bodies of other media types, by these. */
  readonly bodies?: Readonly<Record<string, Examples>>;
  /** By the status of the answer. Problems need none: theirs are made from the catalogue of errors. */
  readonly answers: Readonly<Record<number, Examples>>;
}

/** An instant that examples share: 2026-03-01 12:00:00 UTC. */
export const NOON = Date.UTC(2026, 2, 1, 12);

export const HASH = '9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab';
export const INSTANCE = '3f6c1d5e-8d0b-4a5e-9b5a-1d2f3c4b5a69';
export const INVOCATION = '7a9d0f2c-54be-4c1f-a6f0-0f2c7a9d54be';
export const OTHER_INVOCATION = 'c81e728d-9d4c-4f63-af06-7f89cc14862c';
