import { useLive } from '../api/use-live.ts';
import { useSurroundings } from '../context.ts';
import { to } from '../routes.ts';
import { StateBadge } from '../ui/badge.tsx';
import { Page } from '../ui/page.tsx';
import { Empty, Loaded } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import { When } from '../ui/when.tsx';
import { ScheduleActions } from './schedule-actions.tsx';

export function SchedulesPage() {
  const { platform } = useSurroundings();
  const live = useLive((signal) => platform.call('GET /schedules', { query: { limit: 1000 }, signal }), 3_000, 'schedules');
  return (
    <Page title="Schedules">
      <Loaded live={live} what="schedules">
        {({ schedules }) =>
          schedules.length === 0 ? (
            <Empty title="No function is run by the clock">
              <p>
                A function with the event key <code>cron|*/5 * * * *</code> is run every five minutes.
              </p>
              {platform.may('deploy') && (
                <a class="button" href={to('new')}>
                  Create a function
                </a>
              )}
            </Empty>
          ) : (
            <Table label="Schedules" head={['Function', 'Expression', 'Next', 'Last', 'Open', '']}>
              {schedules.map((schedule) => (
                <tr key={schedule.function_name}>
                  <th scope="row">
                    <a href={to('functions', schedule.function_name, 'schedule')}>{schedule.function_name}</a>
                  </th>
                  <td>
                    <code>{schedule.event_type.replace('cron|', '')}</code>
                  </td>
                  <td>{schedule.paused ? <StateBadge state="paused" /> : <When at={schedule.next_at} />}</td>
                  <td>
                    {schedule.last_outcome ? (
                      <>
                        <StateBadge state={schedule.last_outcome.state} /> <When at={schedule.last_outcome.ended_at} />
                      </>
                    ) : (
                      '–'
                    )}
                  </td>
                  <td class="number">{schedule.open}</td>
                  <td class="cell-actions">
                    <ScheduleActions schedule={schedule} onChanged={live.refresh} />
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Loaded>
    </Page>
  );
}
