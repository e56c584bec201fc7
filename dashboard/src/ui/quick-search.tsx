import { useEffect, useRef, useState } from 'preact/hooks';
import { useLive } from '../api/use-live.ts';
import { useSurroundings } from '../context.ts';
import { to } from '../routes.ts';

interface Found {
  name: string;
  detail: string;
  href: string;
}

const PAGES: readonly Found[] = [
  { name: 'Functions', detail: 'page', href: to() },
  { name: 'Create a function', detail: 'page', href: to('new') },
  { name: 'Machine', detail: 'page', href: to('machine') },
  { name: 'Nodes', detail: 'page', href: to('nodes') },
  { name: 'Schedules', detail: 'page', href: to('schedules') },
  { name: 'Dead letters', detail: 'page', href: to('dead-letters') },
  { name: 'Secrets', detail: 'page', href: to('secrets') },
];
const MOST = 12;

/** Finds functions by name or event key, and pages. Arrows choose, Enter goes (the pattern "combobox with a list" of the ARIA Authoring Practices). */
export function QuickSearch({ onClose }: { onClose: () => void }) {
  const { platform } = useSurroundings();
  const dialog = useRef<HTMLDialogElement>(null);
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const { data } = useLive((signal) => platform.call('GET /functions', { signal }), null, 'search');
  useEffect(() => dialog.current?.showModal(), []);

  const functions = Object.values(data ?? {})
    .flat()
    .map(({ function_name: name, event_type: detail }): Found => ({ name, detail, href: to('functions', name) }));
  const wanted = text.toLowerCase().trim();
  const found = [...functions, ...PAGES].filter(({ name, detail }) => `${name} ${detail}`.toLowerCase().includes(wanted)).slice(0, MOST);
  const at = Math.min(chosen, found.length - 1);
  const leave = (href: string): void => {
    dialog.current?.close();
    location.hash = href;
  };
  const onKey = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0) setChosen((at + step + found.length) % Math.max(1, found.length));
    else if (event.key === 'Enter' && found[at]) leave(found[at].href);
    else return;
    event.preventDefault();
  };
  return (
    <dialog ref={dialog} class="dialog search" aria-label="Search" onClose={onClose}>
      <input
        type="text"
        role="combobox"
        aria-label="Function or page"
        aria-expanded="true"
        aria-controls="search-found"
        aria-activedescendant={found.length > 0 ? `found-${at}` : undefined}
        autocomplete="off"
        placeholder="Function or page…"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setChosen(0);
        }}
        onKeyDown={onKey}
      />
      <div id="search-found" role="listbox" aria-label="Found" class="search-found">
        {found.map(({ name, detail, href }, index) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field, which names the chosen one (aria-activedescendant).
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field takes the keys.
          <div key={href} id={`found-${index}`} role="option" aria-selected={index === at} onClick={() => leave(href)}>
            <span>{name}</span> <code>{detail}</code>
          </div>
        ))}
      </div>
      <p class="visually-hidden" role="status">
        {found.length === 0 ? 'Nothing found' : `${found.length} found`}
      </p>
      {found.length === 0 && <p class="hint">Nothing is called like that.</p>}
    </dialog>
  );
}
