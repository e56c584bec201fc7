import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** A page with its heading, which gets the focus when one comes to the page: a screen reader reads it, and Tab goes on from there. */
export function Page({ title, aside, children }: { title: string; aside?: ComponentChildren; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Hearth`;
    // Not on the first page that is shown: there, reading begins at the top.
    if (document.body.dataset.moved === 'yes') heading.current?.focus();
    document.body.dataset.moved = 'yes';
  }, [title]);
  return (
    <>
      <div class="page-head">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {aside}
      </div>
      {children}
    </>
  );
}
