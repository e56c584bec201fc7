import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from './platform.ts';

export interface Live<T> {
  /** Undefined until it came for the first time. What came last stays while later requests fail. */
  data: T | undefined;
  error: string | undefined;
  refresh(): void;
}

/**
 * What the control plane has, asked again every so often; not while nobody sees the page.
 * @param everyMs milliseconds; null: asked once
 * @param key of what is asked for: another one forgets what was there
 */
export function useLive<T>(read: (signal: AbortSignal) => Promise<T>, everyMs: number | null, key: string): Live<T> {
  const [held, hold] = useState<{ key: string; data: T | undefined; error: string | undefined }>({ key, data: undefined, error: undefined });
  const latest = useRef(read);
  latest.current = read;
  const again = useRef((): void => undefined);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let asking: AbortController | undefined;
    const ask = async (): Promise<void> => {
      clearTimeout(timer);
      asking?.abort();
      const mine = new AbortController();
      asking = mine;
      try {
        const data = await latest.current(mine.signal);
        if (!mine.signal.aborted) hold({ key, data, error: undefined });
      } catch (error) {
        if (mine.signal.aborted) return;
        hold((before) => ({ key, data: before.key === key ? before.data : undefined, error: messageOf(error) }));
      }
      if (everyMs !== null && !mine.signal.aborted && !document.hidden) timer = setTimeout(ask, everyMs);
    };
    const onVisible = (): void => {
      if (document.hidden) clearTimeout(timer);
      else void ask();
    };
    again.current = () => void ask();
    void ask();
    document.addEventListener('visibilitychange', onVisible);
    return () => {
      document.removeEventListener('visibilitychange', onVisible);
      clearTimeout(timer);
      asking?.abort();
    };
  }, [key, everyMs]);
  const refresh = useCallback(() => again.current(), []);
  return held.key === key ? { data: held.data, error: held.error, refresh } : { data: undefined, error: undefined, refresh };
}
