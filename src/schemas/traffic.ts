import { type Static, Type } from 'typebox';

const MAX_VERSIONS = 16;
/** RFC 9110 §5.6.2, a token. */
const HEADER_NAME = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$";

const RollbackBound = Type.Object(
  {
    error_rate: Type.Number({ minimum: 0, maximum: 1, description: 'Share of failed calls above which the newest version is rolled back.' }),
    minimum_calls: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'Calls within the window before anything is concluded.' }),
    window_ms: Type.Integer({ minimum: 100, maximum: 24 * 3600_000, description: 'How far back calls count, in milliseconds.' }),
  },
  { additionalProperties: false },
);

/** What `PUT /functions/{name}/traffic` takes. */
export const TrafficDefinition = Type.Object(
  {
    weights: Type.Record(Type.String({ pattern: '^[1-9][0-9]{0,14}$' }), Type.Integer({ minimum: 0, maximum: 100 }), {
      additionalProperties: false,
      minProperties: 1,
      maxProperties: MAX_VERSIONS,
      description: 'Percent of calls by version number; they sum to 100. A version with 0 is reached by `X-Hearth-Version` only.',
    }),
    sticky_header: Type.Optional(
      Type.Unsafe<string | null>({
        type: ['string', 'null'],
        pattern: HEADER_NAME,
        description: 'Calls that have this header with the same value get the same version.',
      }),
    ),
    rollback_on: Type.Optional(
      Type.Unsafe<Static<typeof RollbackBound> | null>({
        ...RollbackBound,
        type: ['object', 'null'],
        description: 'When the newest version of the split loses its share by itself; null: never.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type TrafficDefinition = Static<typeof TrafficDefinition>;

/** The bound of an automatic rollback. */
export interface RollbackOn {
  /** 0 to 1; a share of failed calls above it is too much. */
  readonly errorRate: number;
  readonly minimumCalls: number;
  /** Milliseconds. */
  readonly windowMs: number;
}

/** Several versions of one function that share its calls: `active → rolled_back`. */
export interface TrafficSplit {
  readonly functionName: string;
  /** Percent by version number, 0 to 100, sum 100. */
  readonly weights: Readonly<Record<string, number>>;
  /** Lower case. */
  readonly stickyHeader: string | null;
  readonly rollbackOn: RollbackOn | null;
  readonly state: 'active' | 'rolled_back';
  /** Which version lost its share, when (milliseconds since the epoch), and why in words; null while active. */
  readonly rolledBack: { readonly version: number; readonly at: number; readonly reason: string } | null;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}
