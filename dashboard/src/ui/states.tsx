import type { ComponentChildren } from 'preact';
import type { Live } from '../api/use-live.ts';

/** Where there is nothing yet: what would be here, and how to get it. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Failure({ error, onRetry }: { error: string; onRetry?: () => void }) {
  return (
    <div class="failure" role="alert">
      <span>{error}</span>
      {onRetry && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p class="loading" role="status">
      Loading {what}…
    </p>
  );
}

/** Shows what has come, and above it what went wrong since. */
export function Loaded<T>({ live, what, children }: { live: Live<T>; what: string; children: (data: T) => ComponentChildren }) {
  const { data, error, refresh } = live;
  return (
    <>
      {error !== undefined && <Failure error={error} onRetry={refresh} />}
      {data !== undefined ? children(data) : error === undefined && <Loading what={what} />}
    </>
  );
}
