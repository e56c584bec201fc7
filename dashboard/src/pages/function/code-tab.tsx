import { useEffect, useState } from 'preact/hooks';
import { useSurroundings } from '../../context.ts';
import { CodeEditor } from '../../editor/code-editor.tsx';
import { useAction } from '../../ui/use-action.ts';
import type { FunctionDetail } from './function-page.tsx';
import { withCode } from './registration.ts';

/** The code that is in service, to be changed and deployed. What somebody has changed stays while others deploy. */
export function CodeTab({ definition, onDeployed }: { definition: FunctionDetail; onDeployed: () => void }) {
  const { platform, toasts } = useSurroundings();
  const { busy, run } = useAction();
  const [base, setBase] = useState({ version: definition.version, text: definition.function_code });
  // What the editor begins with: not set by deploying, since somebody may go on typing meanwhile.
  const [initial, setInitial] = useState({ text: definition.function_code });
  const [code, setCode] = useState(definition.function_code);
  const changed = code !== base.text;
  const overtaken = definition.version !== base.version;
  const begin = (): void => {
    setBase({ version: definition.version, text: definition.function_code });
    setInitial({ text: definition.function_code });
    setCode(definition.function_code);
  };
  useEffect(() => {
    if (overtaken && !changed) begin();
  }, [overtaken, changed]);

  const bundled = definition.bundle !== null;
  const editable = platform.may('deploy') && !bundled;
  const deploy = () =>
    run(async () => {
      const { layers } = await platform.call('GET /layers');
      const registered = await platform.call('POST /functions', { body: withCode(definition, code, layers) });
      setBase({ version: registered.version, text: code });
      for (const warning of registered.warnings) toasts.failed(warning);
      if (registered.style !== definition.style) toasts.done(`It is a ${registered.style} now; it was a ${definition.style}.`);
      onDeployed();
      return registered.created ? `Version ${registered.version} is deployed.` : 'Nothing has changed.';
    });
  return (
    <>
      {bundled && (
        <p class="note">
          This function is a bundle of files; its entry is <code>{definition.bundle?.entry}</code>. Deploy it from its folder:{' '}
          <code>hearth deploy</code>.
        </p>
      )}
      {overtaken && changed && (
        <p class="note note-warn" role="status">
          Version {definition.version} has been deployed meanwhile; you are editing version {base.version}.{' '}
          <button type="button" onClick={begin}>
            Take version {definition.version}
          </button>
        </p>
      )}
      <CodeEditor
        label={`Code of ${definition.function_name}`}
        initial={initial}
        runtime={definition.runtime}
        readOnly={!editable}
        onChange={setCode}
        onSave={() => void deploy()}
      />
      <div class="actions">
        {editable && (
          <>
            <button type="button" class="primary" disabled={busy || !changed} onClick={() => void deploy()}>
              {busy ? 'Deploying…' : 'Deploy'}
            </button>
            <button type="button" disabled={!changed} onClick={begin}>
              Discard changes
            </button>
            <span class="hint">
              <kbd>Ctrl</kbd> <kbd>S</kbd> deploys. <kbd>Esc</kbd> then <kbd>Tab</kbd> leaves the editor.
            </span>
          </>
        )}
        {!editable && !bundled && <span class="hint">Your token may look, not deploy.</span>}
      </div>
    </>
  );
}
