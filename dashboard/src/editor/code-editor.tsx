import { useEffect, useRef, useState } from 'preact/hooks';
import type { OpenEditor } from './open-editor.ts';

interface Props {
  label: string;
  /** What it begins with. It keeps its own text from then on, and begins anew when this is another object. */
  initial: { readonly text: string };
  /** `python`, `nodejs…` */
  runtime: string;
  readOnly?: boolean;
  onChange?(value: string): void;
  /** Ctrl-S, ⌘S. */
  onSave?(): void;
}

/**
 * CodeMirror, loaded when the first one is shown. It lives in a shadow root: there its styles are adopted style sheets, which the page's Content-Security-Policy
 * allows without exceptions.
 */
export function CodeEditor({ label, initial, runtime, readOnly = false, onChange, onSave }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const open = useRef<OpenEditor | undefined>(undefined);
  const [failed, setFailed] = useState(false);
  const latest = useRef({ onChange, onSave });
  latest.current = { onChange, onSave };
  const beginning = useRef(initial.text);

  useEffect(() => {
    let ended = false;
    const place = host.current as HTMLDivElement;
    import('./open-editor.ts').then(
      ({ openEditor }) => {
        if (ended) return;
        open.current = openEditor(place.shadowRoot ?? place.attachShadow({ mode: 'open' }), {
          label,
          value: beginning.current,
          runtime,
          readOnly,
          onChange: (text) => {
            // Opened again for another language, it goes on with what was written.
            beginning.current = text;
            latest.current.onChange?.(text);
          },
          onSave: () => latest.current.onSave?.(),
        });
        place.dataset.ready = 'yes';
      },
      () => setFailed(true),
    );
    return () => {
      ended = true;
      open.current?.close();
      open.current = undefined;
    };
  }, [label, runtime, readOnly]);
  useEffect(() => {
    beginning.current = initial.text;
    open.current?.replace(initial.text);
  }, [initial]);

  if (failed) {
    // Nothing that anybody wrote is to be lost for a file that could not be fetched.
    return (
      <textarea
        class="code-plain"
        aria-label={label}
        defaultValue={initial.text}
        readOnly={readOnly}
        spellcheck={false}
        onInput={(event) => onChange?.(event.currentTarget.value)}
      />
    );
  }
  return <div ref={host} class="code-editor" data-label={label} />;
}
