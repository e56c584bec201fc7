import { useLive } from '../../api/use-live.ts';
import { useSurroundings } from '../../context.ts';
import { Badge } from '../../ui/badge.tsx';
import { bytes, duration } from '../../ui/format.ts';
import type { CallAnswer } from './test-tab.tsx';

const PARTS: Record<string, string> = {
  queue: 'waited for an instance',
  start: 'booted the sandbox',
  init: 'loaded the function',
  run: 'ran',
  write: 'wrote the answer',
};
/** How often the record is asked for that is written behind the answer. */
const LOOK_MS = 300;

/** What a call was answered with: status, timing, logs, headers, body. */
export function Answer({ answer }: { answer: CallAnswer }) {
  const header = (name: string) => answer.headers.find(([one]) => one?.toLowerCase() === name)?.[1];
  const id = header('x-correlation-id');
  const start = header('x-hearth-start');
  const parts = [...(header('server-timing') ?? '').matchAll(/(\w+);dur=([\d.]+)/g)].map(([, name = '', ms]) => ({ name, ms: Number(ms) }));
  return (
    <>
      <p class="answer-head">
        <Badge tone={answer.status < 400 ? 'good' : 'bad'}>{answer.status}</Badge>
        <span>{duration(answer.duration_ms)}</span>
        {start !== undefined && <Badge tone={start === 'warm' ? 'calm' : 'warn'}>{start} start</Badge>}
        <span class="faint">{bytes(answer.bytes)}</span>
      </p>
      {parts.length > 0 && <Timing parts={parts} />}
      <h2>Body</h2>
      <pre class="code">{bodyOf(answer)}</pre>
      {id !== undefined && <LogsOf id={id} key={id} />}
      <details>
        <summary>Headers</summary>
        <pre class="code">{answer.headers.map((pair) => pair.join(': ')).join('\n')}</pre>
      </details>
    </>
  );
}

function Timing({ parts }: { parts: readonly { name: string; ms: number }[] }) {
  return (
    <dl class="timing">
      {parts.map(({ name, ms }) => (
        <div key={name}>
          <dt>{PARTS[name] ?? name}</dt>
          <dd>{duration(ms)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What the call printed: of its record, which is written shortly after the answer. */
function LogsOf({ id }: { id: string }) {
  const { platform } = useSurroundings();
  const { data } = useLive(
    async (signal) => {
      for (let tries = 0; ; tries++) {
        try {
          const record = await platform.call('GET /invocations/{id}', { path: { id }, signal });
          if (record.ended_at !== null || tries > 20) return record;
        } catch (error) {
          if (signal.aborted || tries > 20) throw error;
        }
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
    },
    null,
    id,
  );
  return (
    <>
      <h2>Logs</h2>
      {data?.error_message != null && <p class="failure">{data.error_message}</p>}
      {data === undefined ? <p class="faint">…</p> : data.logs ? <pre class="code">{data.logs}</pre> : <p class="faint">It printed nothing.</p>}
    </>
  );
}

function bodyOf({ body, body_base64: base64, bytes: length }: CallAnswer): string {
  if (body === null) return `${length} bytes that are no text:\n${(base64 ?? '').slice(0, 400)}…`;
  if (body === '') return '(empty)';
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
