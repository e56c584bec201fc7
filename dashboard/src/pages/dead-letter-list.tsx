import { useState } from 'preact/hooks';
import { useLive } from '../api/use-live.ts';
import { useSurroundings } from '../context.ts';
import { to } from '../routes.ts';
import { Confirm } from '../ui/confirm.tsx';
import { Empty, Loaded } from '../ui/states.tsx';
import { Table } from '../ui/table.tsx';
import { useAction } from '../ui/use-action.ts';
import { When } from '../ui/when.tsx';
import { CallRecord } from './function/call-record.tsx';

const EVERY_MS = 3_000;
const LIMIT = 100;

/** Asynchronous invocations that were given up, of one function or of all: why, and once more. */
export function DeadLetterList({ name }: { name?: string }) {
  const { platform } = useSurroundings();
  const of = name === undefined ? {} : { function: name };
  const live = useLive((signal) => platform.call('GET /dead-letters', { query: { ...of, limit: LIMIT }, signal }), EVERY_MS, name ?? '');
  const [opened, open] = useState<string | undefined>();
  const [discarding, setDiscarding] = useState<string | undefined>();
  const { busy, run } = useAction();
  const redrive = (id: string) =>
    run(async () => {
      await platform.call('POST /dead-letters/{id}/redrive', { path: { id } });
      live.refresh();
      return 'It is queued again.';
    });
  const redriveAll = () =>
    run(async () => {
      const { redriven } = await platform.call('POST /dead-letters/redrive', { query: of });
      live.refresh();
      return `${redriven} are queued again.`;
    });
  const discard = (id: string) =>
    run(async () => {
      await platform.call('DELETE /dead-letters/{id}', { path: { id } });
      setDiscarding(undefined);
      live.refresh();
      return 'It is deleted.';
    });
  const may = platform.may('deploy');
  return (
    <>
      <Loaded live={live} what="dead letters">
        {({ dead_letters: letters }) =>
          letters.length === 0 ? (
            <Empty title="There are no dead letters">What failed for good, retries included, would stand here, to be run once more.</Empty>
          ) : (
            <>
              {may && (
                <div class="actions">
                  <button type="button" class="primary" disabled={busy} onClick={() => void redriveAll()}>
                    Redrive all
                  </button>
                </div>
              )}
              <Table label="Dead letters" head={['Function', 'Died', 'Why', 'Error', 'Attempts', '']}>
                {letters.map((letter) => (
                  <tr key={letter.id}>
                    <th scope="row">
                      <a href={to('functions', letter.function_name)}>{letter.function_name}</a>
                    </th>
                    <td>
                      <When at={letter.ended_at} />
                    </td>
                    <td>{letter.dead_reason?.replaceAll('_', ' ') ?? '–'}</td>
                    <td class="cell-text">{letter.error_message ?? letter.error_code ?? '–'}</td>
                    <td class="number">{letter.attempt}</td>
                    <td class="cell-actions">
                      <button type="button" aria-label={`Details of ${letter.id}`} onClick={() => open(letter.id)}>
                        Details
                      </button>
                      {may && (
                        <>
                          <button type="button" disabled={busy} aria-label={`Redrive ${letter.id}`} onClick={() => void redrive(letter.id)}>
                            Redrive
                          </button>
                          <button type="button" class="danger-quiet" aria-label={`Delete ${letter.id}`} onClick={() => setDiscarding(letter.id)}>
                            Delete
                          </button>
                        </>
                      )}
                    </td>
                  </tr>
                ))}
              </Table>
            </>
          )
        }
      </Loaded>
      {opened !== undefined && <CallRecord id={opened} onClose={() => open(undefined)} />}
      {discarding !== undefined && (
        <Confirm
          title="Delete this dead letter?"
          action="Delete"
          dangerous
          busy={busy}
          onConfirm={() => void discard(discarding)}
          onClose={() => setDiscarding(undefined)}
        >
          What it was called with is gone then, and can't be run again.
        </Confirm>
      )}
    </>
  );
}
