import type { ResponseOf } from '../../../src/client/client.ts';
import { useSurroundings } from '../context.ts';
import { useAction } from '../ui/use-action.ts';

type Schedule = ResponseOf<'GET /schedules'>['schedules'][number];

export function ScheduleActions({ schedule, onChanged }: { schedule: Pick<Schedule, 'function_name' | 'paused'>; onChanged: () => void }) {
  const { platform } = useSurroundings();
  const { busy, run } = useAction();
  if (!platform.may('deploy')) return null;
  const { function_name: name, paused } = schedule;
  const path = { function_name: name };
  const pause = () =>
    run(async () => {
      await (paused
        ? platform.call('POST /schedules/{function_name}/resume', { path })
        : platform.call('POST /schedules/{function_name}/pause', { path }));
      onChanged();
      return paused ? `${name} fires again.` : `${name} is paused.`;
    });
  const fire = () =>
    run(async () => {
      await platform.call('POST /schedules/{function_name}/run', { path });
      onChanged();
      return `${name} is fired.`;
    });
  return (
    <div class="actions">
      <button type="button" disabled={busy} aria-label={`${paused ? 'Resume' : 'Pause'} ${name}`} onClick={() => void pause()}>
        {paused ? 'Resume' : 'Pause'}
      </button>
      <button type="button" disabled={busy} aria-label={`Run ${name} now`} onClick={() => void fire()}>
        Run now
      </button>
    </div>
  );
}
