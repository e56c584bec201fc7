import { SAMPLED, type TraceParent } from './trace-context.ts';

/** As OTEL_TRACES_SAMPLER names them. */
export const SAMPLERS = [
  'parentbased_always_on',
  'parentbased_traceidratio',
  'parentbased_always_off',
  'always_on',
  'traceidratio',
  'always_off',
] as const;
export type SamplerName = (typeof SAMPLERS)[number];

export interface SamplerSettings {
  sampler: SamplerName;
  /** 0 to 1: the share of traces, for the samplers by ratio. */
  ratio: number;
  /** Traces that are begun here, a second, at most; 0: without a bound. */
  maxPerSecond: number;
}

const PARENT_BASED = 'parentbased_';
/** Digits of a trace id by which it is judged: the 7 bytes that the standard wants random. */
const RANDOM_DIGITS = 14;

/**
 * Decides whether a trace is recorded. The decision is made once, where the trace begins, and goes along in `traceparent`: so a trace is recorded whole or not
 * at all. By ratio it depends on nothing but the trace id, so that others with that ratio decide alike.
 */
export class Sampler {
  readonly #followsParent: boolean;
  readonly #ratio: number;
  readonly #maxPerSecond: number;
  readonly #monotonic: () => number;
  /** What may be begun now: refilled by time, up to what one second gives. */
  #tokens: number;
  #refilledAt: number;

  /** @param monotonic milliseconds */
  constructor({ sampler, ratio, maxPerSecond }: SamplerSettings, monotonic: () => number) {
    this.#followsParent = sampler.startsWith(PARENT_BASED);
    const own = this.#followsParent ? sampler.slice(PARENT_BASED.length) : sampler;
    this.#ratio = own === 'always_on' ? 1 : own === 'always_off' ? 0 : ratio;
    this.#maxPerSecond = maxPerSecond;
    this.#monotonic = monotonic;
    this.#tokens = maxPerSecond;
    this.#refilledAt = monotonic();
  }

  /** @param parent undefined: the trace begins here */
  decide(traceId: string, parent: TraceParent | undefined): boolean {
    if (parent && this.#followsParent) return (parent.flags & SAMPLED) !== 0;
    return this.#isInShare(traceId) && (parent !== undefined || this.#mayBegin());
  }

  #isInShare(traceId: string): boolean {
    if (this.#ratio >= 1) return true;
    // A double has 53 bits of these 56: the rest decides nothing that could be measured.
    return Number.parseInt(traceId.slice(-RANDOM_DIGITS), 16) >= (1 - this.#ratio) * 16 ** RANDOM_DIGITS;
  }

  #mayBegin(): boolean {
    if (this.#maxPerSecond === 0) return true;
    const now = this.#monotonic();
    this.#tokens = Math.min(this.#maxPerSecond, this.#tokens + ((now - this.#refilledAt) / 1000) * this.#maxPerSecond);
    this.#refilledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
