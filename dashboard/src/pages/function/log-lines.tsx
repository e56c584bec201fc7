import type { LogLine } from '../../../../src/client/operations.ts';
import { Badge, type Tone } from '../../ui/badge.tsx';
import { clock, dateAndTime } from '../../ui/format.ts';

const TONES: Record<LogLine['level'], Tone> = { trace: 'calm', debug: 'calm', info: 'calm', warn: 'warn', error: 'bad', fatal: 'bad' };
const ID_SHOWN = 8;

/** Lines of the log, the newest first: what comes is seen without scrolling. */
export function LogLines({ lines, onCall }: { lines: readonly LogLine[]; onCall: (id: string) => void }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1).
    <section class="log" aria-label="Lines of the log" tabIndex={0}>
      <ol>
        {lines.map(({ id, time, level, message, fields, correlation_id: call }) => (
          <li key={id} class={`log-line log-${level}`}>
            <time dateTime={new Date(time).toISOString()} title={dateAndTime(time)}>
              {clock(time)}
            </time>
            <Badge tone={TONES[level]}>{level}</Badge>
            <span class="log-text">
              {message}
              {fields !== null && <span class="faint"> {JSON.stringify(fields)}</span>}
            </span>
            {call !== null && (
              <button type="button" class="plain faint" title={call} onClick={() => onCall(call)}>
                <span class="visually-hidden">Only the call</span> {call.slice(-ID_SHOWN)}
              </button>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
