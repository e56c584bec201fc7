import { useLive } from '../../api/use-live.ts';
import { useSurroundings } from '../../context.ts';
import { StateBadge } from '../../ui/badge.tsx';
import { dateAndTime } from '../../ui/format.ts';
import { Empty, Loaded } from '../../ui/states.tsx';
import { Table } from '../../ui/table.tsx';
import { When } from '../../ui/when.tsx';
import { ScheduleActions } from '../schedule-actions.tsx';

export function ScheduleTab({ name }: { name: string }) {
  const { platform } = useSurroundings();
  const live = useLive((signal) => platform.call('GET /schedules/{function_name}', { path: { function_name: name }, signal }), 5_000, name);
  return (
    <Loaded live={live} what="the schedule">
      {(schedule) => (
        <>
          <section class="panel" aria-label="Next firings">
            <h2>
              Next {schedule.paused && <StateBadge state="paused" />} {schedule.failing && <StateBadge state="failed" />}
            </h2>
            {schedule.next_firings.length === 0 ? (
              <p class="faint">It is paused.</p>
            ) : (
              <ol class="plain-list">
                {schedule.next_firings.map((at) => (
                  <li key={at}>{dateAndTime(at)}</li>
                ))}
              </ol>
            )}
            <ScheduleActions schedule={schedule} onChanged={live.refresh} />
          </section>
          {schedule.firings.length === 0 ? (
            <Empty title="It has not fired yet" />
          ) : (
            <Table label="Firings" head={['Due', 'Kind', 'State', 'Reason', 'Ended']}>
              {schedule.firings.map((firing) => (
                <tr key={firing.id}>
                  <td>{dateAndTime(firing.scheduled_at)}</td>
                  <td>{firing.kind.replaceAll('_', ' ')}</td>
                  <td>
                    <StateBadge state={firing.state} />
                  </td>
                  <td>{firing.reason ?? '–'}</td>
                  <td>
                    <When at={firing.ended_at} />
                  </td>
                </tr>
              ))}
            </Table>
          )}
        </>
      )}
    </Loaded>
  );
}
