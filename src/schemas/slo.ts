import { type Static, Type } from 'typebox';

/** What is promised of a function's calls, over a rolling window of days. */

const Share = (description: string) => Type.Number({ minimum: 0.5, maximum: 0.99999, description });
/** As far back as hours are kept. */
const MAX_WINDOW_DAYS = 30;

export const SloDefinition = Type.Object(
  {
    availability: Type.Optional(Share('Share of calls that are to end well, such as 0.999.')),
    latency: Type.Optional(
      Type.Object(
        {
          threshold_ms: Type.Number({ exclusiveMinimum: 0, maximum: 15 * 60_000, description: 'From acceptance to the head of the answer.' }),
          share: Share('Share of the calls that end well which are to be answered within it, such as 0.99.'),
        },
        { additionalProperties: false, description: 'How fast it is to be.' },
      ),
    ),
    window_days: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_WINDOW_DAYS, description: 'The rolling window. Default 28.' })),
  },
  {
    additionalProperties: false,
    description: 'Service level objectives: what the function is to hold, one of `availability` and `latency` at least.',
  },
);
export type SloDefinition = Static<typeof SloDefinition>;

/** With everything decided. */
export interface SloPolicy {
  /** 0.5 to 0.99999; null: nothing is promised. */
  readonly availability: number | null;
  readonly latency: { readonly thresholdMs: number; readonly share: number } | null;
  readonly windowDays: number;
}
