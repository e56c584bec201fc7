import { useEffect, useState } from 'preact/hooks';
import { useSurroundings } from '../context.ts';
import { type Route, to } from '../routes.ts';
import { useStore } from '../store.ts';
import { QuickSearch } from './quick-search.tsx';

const PLACES = [
  { name: 'Functions', segments: [], of: [undefined, 'functions', 'new'] },
  { name: 'Machine', segments: ['machine'], of: ['machine'] },
  { name: 'Nodes', segments: ['nodes'], of: ['nodes'] },
  { name: 'Schedules', segments: ['schedules'], of: ['schedules'] },
  { name: 'Dead letters', segments: ['dead-letters'], of: ['dead-letters'] },
  { name: 'Secrets', segments: ['secrets'], of: ['secrets'] },
] as const;

const SCHEME_NAMES = { system: 'Colours: system', light: 'Colours: light', dark: 'Colours: dark' };

export function Header({ route }: { route: Route }) {
  const { platform, theme } = useSurroundings();
  const signIn = useStore(platform.signIn);
  const scheme = useStore(theme.chosen);
  const [searching, setSearching] = useState(false);
  const inside = signIn.state === 'in';
  useSearchKeys(inside, () => setSearching(true));
  return (
    <header class="header">
      <a class="brand" href={to()}>
        <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
          <rect width="32" height="32" rx="8" class="brand-ground" />
          <path d="M16 5c1 5 7 7 7 14a7 7 0 0 1-14 0c0-3 1.500-5 3-6.500.3 2 1.200 3 2 3.500-.5-4 .5-8 2-11z" fill="#fff" />
        </svg>
        Hearth
      </a>
      {inside && (
        <nav aria-label="Main">
          {PLACES.map(({ name, segments, of }) => (
            <a
              key={name}
              class="place"
              href={to(...segments)}
              aria-current={(of as readonly (string | undefined)[]).includes(route[0]) ? 'page' : undefined}
            >
              {name}
            </a>
          ))}
        </nav>
      )}
      <div class="header-end">
        {inside && (
          <button
            type="button"
            class="search-opener"
            aria-label="Search functions"
            aria-keyshortcuts="Control+K /"
            onClick={() => setSearching(true)}
          >
            Search <kbd>/</kbd>
          </button>
        )}
        <button type="button" class="quiet" aria-label={SCHEME_NAMES[scheme]} title={SCHEME_NAMES[scheme]} onClick={() => theme.next()}>
          {scheme === 'system' ? '◐' : scheme === 'light' ? '☀' : '☾'}
        </button>
        <a class="quiet" href="/docs" title="The API's documentation">
          API
        </a>
        {inside && platform.hasToken && (
          <button
            type="button"
            class="quiet"
            title={`Signed in as ${signIn.session.name}, role ${signIn.session.role}`}
            onClick={() => platform.signOut()}
          >
            Sign out
          </button>
        )}
      </div>
      {searching && <QuickSearch onClose={() => setSearching(false)} />}
    </header>
  );
}

/** `/` where nobody types, Ctrl-K and ⌘K everywhere. */
function useSearchKeys(enabled: boolean, open: () => void): void {
  useEffect(() => {
    if (!enabled) return;
    const onKey = (event: KeyboardEvent): void => {
      const typing = event
        .composedPath()
        .some((target) => target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)));
      const asked =
        (event.key === 'k' && (event.ctrlKey || event.metaKey)) ||
        (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey);
      if (!asked || document.querySelector('dialog[open]') !== null) return;
      event.preventDefault();
      open();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [enabled]);
}
