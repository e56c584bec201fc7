import { type Static, Type } from 'typebox';
import { FunctionName } from '../../schemas/function-name.ts';
import type { SloPolicy } from '../../schemas/slo.ts';
import type { SloReport } from '../../telemetry/series/series.ts';
import type { BurnWindow, ObjectiveStatus, Verdict } from '../../telemetry/slo/slo-status.ts';
import { Nullable, OneOf } from './common.ts';

export const SloOnTheWire = Type.Object({
  availability: Nullable(Type.Number()),
  latency: Nullable(Type.Object({ threshold_ms: Type.Number(), share: Type.Number() })),
  window_days: Type.Integer(),
});

export function sloPolicy({ availability, latency, windowDays }: SloPolicy): Static<typeof SloOnTheWire> {
  return { availability, latency: latency && { threshold_ms: latency.thresholdMs, share: latency.share }, window_days: windowDays };
}

const VERDICTS = ['no_data', 'ok', 'slow_burn', 'fast_burn', 'exhausted'] as const satisfies readonly Verdict[];
const VerdictOnTheWire = OneOf(VERDICTS, {
  description:
    '`fast_burn`: above 14.4 within 1h and 5m, or above 6 within 6h and 30m: somebody should look at once. `slow_burn`: above 1 within 3d and 6h. `exhausted`: more was bad ' +
    'within the window than may be. `no_data`: there was no call.',
});

const BURN_WINDOWS = ['5m', '30m', '1h', '6h', '3d'] as const satisfies readonly BurnWindow[];
const Rate = Nullable(Type.Number());

const objective = {
  objective: Type.Number({ description: 'Share of calls that are to be good.' }),
  good: Type.Integer({ description: 'Good calls within the window.' }),
  total: Type.Integer({ description: 'Calls that count within the window.' }),
  sli: Nullable(Type.Number({ description: '`good / total`; null without a call.' })),
  error_budget_left: Type.Number({
    description: 'Share of the bad calls that the objective allows which is left: 1 at best, below 0 when it is missed.',
  }),
  burn_rates: Type.Object(Object.fromEntries(BURN_WINDOWS.map((name) => [name, Rate])) as Record<BurnWindow, typeof Rate>, {
    description: 'How fast the budget is used up, by how far back one looks: at 1, in just the window of the objective. Null without a call.',
  }),
  verdict: VerdictOnTheWire,
};

export const FunctionSlo = Type.Object(
  {
    function_name: FunctionName,
    window_days: Type.Integer(),
    counted: Type.Boolean({ description: 'False: more than `metrics.max_functions` functions are called, and this one is not counted by itself.' }),
    coverage: Type.Number({ description: 'Share of the window in which the platform ran and counted, 0 to 1.' }),
    verdict: VerdictOnTheWire,
    availability: Nullable(Type.Object(objective)),
    latency: Nullable(
      Type.Object(
        { threshold_ms: Type.Number(), ...objective },
        { description: 'Of calls that ended well: which were answered in time. Each is held against the threshold that was in force when it ended.' },
      ),
    ),
  },
  { title: 'FunctionSlo' },
);

export function functionSlo(functionName: string, report: SloReport): Static<typeof FunctionSlo> {
  const { policy, availability, latency } = report;
  return {
    function_name: functionName,
    window_days: policy.windowDays,
    counted: report.counted,
    coverage: report.coverage,
    verdict: report.verdict,
    availability: availability && objectiveOnTheWire(availability),
    latency: latency && policy.latency && { threshold_ms: policy.latency.thresholdMs, ...objectiveOnTheWire(latency) },
  };
}

function objectiveOnTheWire({ budgetLeft, burnRates, ...status }: ObjectiveStatus) {
  return { ...status, error_budget_left: budgetLeft, burn_rates: burnRates };
}
