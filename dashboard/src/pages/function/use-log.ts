import { useEffect, useState } from 'preact/hooks';
import type { LogLine, Operations } from '../../../../src/client/operations.ts';
import { messageOf } from '../../api/platform.ts';
import { useSurroundings } from '../../context.ts';

type SearchQuery = NonNullable<Operations['GET /logs']['query']>;
export type LogQuery = Pick<SearchQuery, 'function' | 'contains' | 'correlation_id'> & { level: NonNullable<SearchQuery['level']> };

interface Log {
  /** The newest first. */
  lines: readonly LogLine[];
  state: 'loading' | 'following' | 'lost' | 'still';
  error: string | undefined;
  /** Whether there may be earlier ones. */
  more: boolean;
  loadMore(): void;
}

const PAGE = 100;
/** Lines that a page keeps; the oldest go. */
const MOST = 500;
/** Lines that come within it are shown together: a busy function prints hundreds a second. */
const GATHER_MS = 200;
const AGAIN_MS = 2_000;
const SETTLE_MS = 250;

/** Searches the log, and goes on with what comes, as long as the page is seen. */
export function useLog(query: LogQuery, following: boolean): Log {
  const { platform } = useSurroundings();
  const [lines, setLines] = useState<readonly LogLine[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const [state, setState] = useState<Log['state']>('loading');
  const [error, setError] = useState<string | undefined>();
  const key = JSON.stringify(query);

  useEffect(() => {
    const ended = new AbortController();
    const { signal } = ended;
    let streaming: AbortController | undefined;
    setState('loading');

    const search = async (): Promise<string | undefined> => {
      const found = await platform.call('GET /logs', { query: { ...query, limit: PAGE }, signal });
      setLines(found.lines);
      setCursor(found.next_cursor);
      setError(undefined);
      return found.lines[0]?.id;
    };
    const stream = async (after: string | undefined): Promise<void> => {
      streaming = new AbortController();
      const place = after === undefined ? {} : { after };
      const path = `/logs/tail?${new URLSearchParams({ ...query, ...place })}`;
      const gathered: LogLine[] = [];
      const show = (): void => {
        const fresh = gathered.splice(0).reverse();
        if (!signal.aborted && fresh.length > 0) setLines((before) => [...fresh, ...before].slice(0, MOST));
      };
      const timer = setInterval(show, GATHER_MS);
      try {
        for await (const event of platform.events(path, AbortSignal.any([signal, streaming.signal]), () => setState('following'))) {
          if (event.type === 'message') gathered.push(JSON.parse(event.data) as LogLine);
        }
      } finally {
        clearInterval(timer);
        show();
      }
    };
    const live = async (): Promise<void> => {
      while (!signal.aborted) {
        try {
          const last = await search();
          if (!following) return setState('still');
          await stream(last);
        } catch (thrown) {
          if (signal.aborted) return;
          if (!(streaming?.signal.aborted ?? false)) setError(messageOf(thrown));
        }
        if (signal.aborted) return;
        setState('lost');
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
        await seen(signal);
      }
    };
    // Whoever types in a filter is not to begin a stream with every letter.
    const timer = setTimeout(() => void live(), SETTLE_MS);
    const onVisible = (): void => {
      if (document.hidden) streaming?.abort();
    };
    document.addEventListener('visibilitychange', onVisible);
    return () => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
      ended.abort();
    };
  }, [platform, key, following]);

  const loadMore = (): void => {
    if (cursor === null) return;
    platform.call('GET /logs', { query: { ...query, limit: PAGE, cursor } }).then(
      (found) => {
        setLines((before) => [...before, ...found.lines]);
        setCursor(found.next_cursor);
      },
      (thrown: unknown) => setError(messageOf(thrown)),
    );
  };
  return { lines, state, error, more: cursor !== null, loadMore };
}

/** Resolves once the page is seen, or nobody waits any more. */
function seen(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (!document.hidden || signal.aborted) return resolve();
    const end = new AbortController();
    const done = (): void => {
      if (document.hidden && !signal.aborted) return;
      end.abort();
      resolve();
    };
    document.addEventListener('visibilitychange', done, { signal: end.signal });
    signal.addEventListener('abort', done, { signal: end.signal });
  });
}
