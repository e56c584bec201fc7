import { useState } from 'preact/hooks';
import { Empty, Failure } from '../../ui/states.tsx';
import { LogLines } from './log-lines.tsx';
import { type LogQuery, useLog } from './use-log.ts';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** What the function prints, as it comes; and what it printed, to be looked through. */
export function LogsTab({ name }: { name: string }) {
  const [level, setLevel] = useState<LogQuery['level']>('trace');
  const [contains, setContains] = useState('');
  const [call, setCall] = useState('');
  const [following, follow] = useState(true);
  const query: LogQuery = {
    function: name,
    level,
    ...(contains === '' ? {} : { contains }),
    ...(call === '' ? {} : { correlation_id: call.trim() }),
  };
  const { lines, state, error, more, loadMore } = useLog(query, following);
  return (
    <>
      <search class="row" aria-label="Filter the log">
        <label>
          Level
          <select value={level} onChange={(event) => setLevel(event.currentTarget.value as LogQuery['level'])}>
            {LEVELS.map((one) => (
              <option key={one} value={one}>
                {one === 'trace' ? 'every' : `${one} and above`}
              </option>
            ))}
          </select>
        </label>
        <label class="grow">
          Has the text
          <input type="search" value={contains} onInput={(event) => setContains(event.currentTarget.value)} />
        </label>
        <label class="grow">
          Correlation id
          <input type="search" spellcheck={false} value={call} onInput={(event) => setCall(event.currentTarget.value)} />
        </label>
        <label class="check">
          <input type="checkbox" checked={following} onChange={(event) => follow(event.currentTarget.checked)} />
          Follow
        </label>
      </search>
      <p class="hint" role="status">
        {state === 'following' ? 'Live: new lines come by themselves.' : state === 'lost' ? 'The stream is lost; trying again…' : 'Not following.'}
      </p>
      {error !== undefined && <Failure error={error} />}
      {lines.length === 0 && state !== 'loading' ? (
        <Empty title="There are no such lines">What the function prints appears here.</Empty>
      ) : (
        <LogLines lines={lines} onCall={setCall} />
      )}
      {more && (
        <div class="actions">
          <button type="button" onClick={loadMore}>
            Earlier lines
          </button>
        </div>
      )}
    </>
  );
}
