import { useEffect, useRef } from 'preact/hooks';
import { useLive } from '../../api/use-live.ts';
import { useSurroundings } from '../../context.ts';
import { StateBadge } from '../../ui/badge.tsx';
import { dateAndTime, duration } from '../../ui/format.ts';
import { Loaded } from '../../ui/states.tsx';

/** All that is known of one call, over the page that it was chosen on. */
export function CallRecord({ id, onClose }: { id: string; onClose: () => void }) {
  const { platform } = useSurroundings();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const live = useLive((signal) => platform.call('GET /invocations/{id}', { path: { id }, signal }), 2_000, id);
  return (
    <dialog ref={dialog} class="dialog dialog-wide" aria-labelledby="record-title" onClose={onClose}>
      <h2 id="record-title">Call</h2>
      <Loaded live={live} what="the record">
        {(record) => (
          <>
            <dl class="facts">
              <div>
                <dt>Correlation id</dt>
                <dd>
                  <code>{record.correlation_id}</code>
                </dd>
              </div>
              <div>
                <dt>State</dt>
                <dd>
                  <StateBadge state={record.state} /> {record.status ?? ''}
                </dd>
              </div>
              <div>
                <dt>Accepted</dt>
                <dd>{dateAndTime(record.accepted_at)}</dd>
              </div>
              <div>
                <dt>Version</dt>
                <dd>{record.version}</dd>
              </div>
              <div>
                <dt>Instance</dt>
                <dd>
                  <code>{record.instance_id ?? '–'}</code>
                </dd>
              </div>
              <div>
                <dt>Waited, started, ran</dt>
                <dd>
                  {duration(record.queue_ms)}, {duration(record.start_ms)}, {duration(record.run_ms)}
                </dd>
              </div>
            </dl>
            {record.error_message !== null && (
              <p class="failure">
                <code>{record.error_code}</code> {record.error_message}
              </p>
            )}
            <h3>Logs</h3>
            {record.logs ? <pre class="code">{record.logs}</pre> : <p class="faint">It printed nothing.</p>}
            {record.result?.body != null && (
              <>
                <h3>Answer</h3>
                <pre class="code">{record.result.body}</pre>
              </>
            )}
          </>
        )}
      </Loaded>
      <div class="actions actions-end">
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
    </dialog>
  );
}
