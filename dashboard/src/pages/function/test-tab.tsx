import { useState } from 'preact/hooks';
import type { ResponseOf } from '../../../../src/client/client.ts';
import { messageOf } from '../../api/platform.ts';
import { useSurroundings } from '../../context.ts';
import { Failure } from '../../ui/states.tsx';
import { Answer } from './answer.tsx';
import type { FunctionDetail } from './function-page.tsx';

export type CallAnswer = ResponseOf<'POST /calls'>;

/** Calls the function at its event key, as its callers do; of another kind of event, gives it one by hand. */
export function TestTab({ definition }: { definition: FunctionDetail }) {
  const { platform } = useSurroundings();
  const [kind, verbOfKey = 'POST', pathOfKey = '/'] = definition.event_type.split('|');
  const http = kind === 'http';
  const [verb, setVerb] = useState(verbOfKey === '*' ? 'POST' : verbOfKey);
  const [path, setPath] = useState(http ? pathOfKey : `/${definition.function_name}`);
  const [headers, setHeaders] = useState('Content-Type: application/json');
  const [body, setBody] = useState(verbOfKey === 'GET' ? '' : '{\n  "name": "Valera"\n}');
  const [calling, setCalling] = useState(false);
  const [answer, setAnswer] = useState<CallAnswer | undefined>();
  const [error, setError] = useState<string | undefined>();

  const call = async (): Promise<void> => {
    setCalling(true);
    setError(undefined);
    try {
      setAnswer(await (http ? platform.call('POST /calls', { body: { verb, path, headers: headersOf(headers), body } }) : invoke()));
    } catch (thrown) {
      setError(messageOf(thrown));
      setAnswer(undefined);
    } finally {
      setCalling(false);
    }
  };
  const invoke = async (): Promise<CallAnswer> => {
    const began = performance.now();
    const done = await platform.call('POST /functions/{function_name}/invocations', {
      path: { function_name: definition.function_name },
      body: { mode: 'sync', headers: headersOf(headers), ...(body === '' ? {} : { body_base64: base64Of(body) }) },
    });
    if (!('result' in done)) throw new Error('It is queued and not over yet; see its calls.');
    const head = [['X-Correlation-Id', done.id], ...(done.result?.headers ?? [])];
    return {
      status: done.status ?? 0,
      headers: head,
      body: done.result?.body ?? done.error_message ?? '',
      body_base64: done.result?.body_base64 ?? null,
      bytes: done.result?.bytes ?? 0,
      duration_ms: performance.now() - began,
    };
  };
  if (!platform.may('deploy')) return <p>Your token may look, not call: that needs the role deploy.</p>;
  return (
    <div class="split">
      <form
        class="panel form"
        onSubmit={(event) => {
          event.preventDefault();
          void call();
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void call();
        }}
      >
        {http && (
          <div class="row">
            <label>
              Method
              <input name="verb" required size={8} value={verb} onInput={(event) => setVerb(event.currentTarget.value)} />
            </label>
            <label class="grow">
              Path and query
              <input name="path" required pattern="/.*" spellcheck={false} value={path} onInput={(event) => setPath(event.currentTarget.value)} />
            </label>
          </div>
        )}
        <label>
          Headers, one a line
          <textarea name="headers" rows={2} spellcheck={false} value={headers} onInput={(event) => setHeaders(event.currentTarget.value)} />
        </label>
        <label>
          Body
          <textarea name="body" rows={8} spellcheck={false} value={body} onInput={(event) => setBody(event.currentTarget.value)} />
        </label>
        <div class="actions">
          <button type="submit" class="primary" disabled={calling}>
            {calling ? 'Calling…' : 'Call'}
          </button>
          <span class="hint">
            <kbd>Ctrl</kbd> <kbd>Enter</kbd> calls.
          </span>
        </div>
      </form>
      <section class="panel" aria-label="Answer" aria-live="polite" aria-busy={calling}>
        {error !== undefined && <Failure error={error} />}
        {answer === undefined && error === undefined && <p class="faint">What the function answers stands here.</p>}
        {answer !== undefined && <Answer answer={answer} />}
      </section>
    </div>
  );
}

/** `Name: value` lines. */
function headersOf(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (line.trim() === '') continue;
    if (colon < 1) throw new Error(`“${line}” is no header: write Name: value.`);
    found[line.slice(0, colon).trim()] = line.slice(colon + 1).trim();
  }
  return found;
}

function base64Of(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''));
}
