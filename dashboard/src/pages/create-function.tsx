import { useState } from 'preact/hooks';
import { useSurroundings } from '../context.ts';
import { CodeEditor } from '../editor/code-editor.tsx';
import { go, to } from '../routes.ts';
import { Page } from '../ui/page.tsx';
import { useAction } from '../ui/use-action.ts';
import { SAMPLES, type Sample } from './samples.ts';

const VERBS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', '*'];
const KINDS = [
  { id: 'http', name: 'HTTP request' },
  { id: 'cron', name: 'Schedule' },
  { id: 'queue', name: 'Queue of a RabbitMQ' },
] as const;
type Kind = (typeof KINDS)[number]['id'];

export function CreateFunctionPage() {
  const { platform, toasts } = useSurroundings();
  const { busy, run } = useAction();
  const [name, setName] = useState('');
  const [kind, setKind] = useState<Kind>('http');
  const [verb, setVerb] = useState('POST');
  const [path, setPath] = useState('/');
  const [expression, setExpression] = useState('*/5 * * * *');
  const [queue, setQueue] = useState('');
  const [sample, setSample] = useState<Sample>(SAMPLES[0] as Sample);
  const [initial, setInitial] = useState({ text: sample.code });
  const [code, setCode] = useState(sample.code);

  const key = kind === 'http' ? `http|${verb}|${path}` : kind === 'cron' ? `cron|${expression}` : `queue|${queue}`;
  const deploy = () =>
    run(async () => {
      const { warnings } = await platform.call('POST /functions', {
        body: { event_type: key, function_name: name, function_code: code, runtime: sample.runtime },
      });
      for (const warning of warnings) toasts.failed(warning);
      go('functions', name, 'test');
      return `${name} is deployed.`;
    });
  const submit = (event: Event): void => {
    event.preventDefault();
    void deploy();
  };
  const begin = (id: string): void => {
    const chosen = SAMPLES.find((one) => one.id === id) as Sample;
    // Who has written something keeps it.
    if (code === sample.code) {
      setInitial({ text: chosen.code });
      setCode(chosen.code);
    }
    setSample(chosen);
  };
  if (!platform.may('deploy')) {
    return (
      <Page title="Create a function">
        <p>Your token may look, not deploy: that needs the role deploy.</p>
      </Page>
    );
  }
  return (
    <Page title="Create a function">
      <form class="panel form" onSubmit={submit}>
        <div class="row">
          <label class="grow">
            Name
            <input
              name="name"
              required
              maxLength={128}
              pattern="[A-Za-z0-9_.\-]+"
              title="Letters, digits, _, - and ."
              autocomplete="off"
              spellcheck={false}
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          </label>
          <label>
            Runs on
            <select value={kind} onChange={(event) => setKind(event.currentTarget.value as Kind)}>
              {KINDS.map(({ id, name: text }) => (
                <option key={id} value={id}>
                  {text}
                </option>
              ))}
            </select>
          </label>
          {kind === 'http' && (
            <>
              <label>
                Method
                <select value={verb} onChange={(event) => setVerb(event.currentTarget.value)}>
                  {VERBS.map((one) => (
                    <option key={one} value={one}>
                      {one === '*' ? 'every' : one}
                    </option>
                  ))}
                </select>
              </label>
              <label class="grow">
                Path
                <input
                  name="path"
                  required
                  pattern="/.*"
                  title="Begins with /"
                  spellcheck={false}
                  autocomplete="off"
                  value={path}
                  onInput={(event) => setPath(event.currentTarget.value)}
                />
              </label>
            </>
          )}
          {kind === 'cron' && (
            <label class="grow">
              Cron expression
              <input name="expression" required spellcheck={false} value={expression} onInput={(event) => setExpression(event.currentTarget.value)} />
            </label>
          )}
          {kind === 'queue' && (
            <label class="grow">
              Queue
              <input name="queue" required spellcheck={false} value={queue} onInput={(event) => setQueue(event.currentTarget.value)} />
            </label>
          )}
        </div>
        <label>
          Begin with
          <select value={sample.id} onChange={(event) => begin(event.currentTarget.value)}>
            {SAMPLES.map(({ id, title }) => (
              <option key={id} value={id}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <CodeEditor label="Code" initial={initial} runtime={sample.runtime} onChange={setCode} onSave={() => void deploy()} />
        <div class="actions">
          <button type="submit" class="primary" disabled={busy}>
            {busy ? 'Deploying…' : 'Deploy'}
          </button>
          <a class="button" href={to()}>
            Cancel
          </a>
          <span class="hint">
            <kbd>Ctrl</kbd> <kbd>S</kbd> in the editor deploys, too. <kbd>Esc</kbd> then <kbd>Tab</kbd> leaves it.
          </span>
        </div>
      </form>
    </Page>
  );
}
