import type { ComponentChildren } from 'preact';

export type Tone = 'good' | 'bad' | 'busy' | 'calm' | 'warn';

const TONES: Record<string, Tone> = {
  succeeded: 'good',
  ready: 'good',
  up: 'good',
  idle: 'good',
  busy: 'busy',
  running: 'busy',
  starting: 'busy',
  building: 'busy',
  queued: 'calm',
  draining: 'warn',
  paused: 'warn',
  timed_out: 'bad',
  failed: 'bad',
  lost: 'bad',
};

/** Said in words, and coloured besides. */
export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return <span class={`badge badge-${tone}`}>{children}</span>;
}

/** The badge of a state by the API's own word for it. */
export function StateBadge({ state }: { state: string }) {
  return <Badge tone={TONES[state] ?? 'calm'}>{state.replaceAll('_', ' ')}</Badge>;
}
