import { useEffect, useRef, useState } from 'preact/hooks';
import type { DiffOptions } from './open-diff.ts';

/** Two texts and what differs, loaded when it is shown; in a shadow root, as the editor is. */
export function Diff({ label, before, after, runtime }: DiffOptions) {
  const host = useRef<HTMLDivElement>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let ended = false;
    let close: (() => void) | undefined;
    const place = host.current as HTMLDivElement;
    import('./open-diff.ts').then(
      ({ openDiff }) => {
        if (!ended) close = openDiff(place.shadowRoot ?? place.attachShadow({ mode: 'open' }), { label, before, after, runtime });
      },
      () => setFailed(true),
    );
    return () => {
      ended = true;
      close?.();
    };
  }, [label, before, after, runtime]);
  if (failed) return <p class="failure">The view of differences could not be loaded. Reload the page.</p>;
  return <div ref={host} class="code-editor" data-label={label} />;
}
