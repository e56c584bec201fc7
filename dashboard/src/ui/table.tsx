import type { ComponentChildren } from 'preact';

/** A table that scrolls by itself where the screen is narrow; focusable then, so that the keyboard can scroll it too. */
export function Table({ label, head, children }: { label: string; head: readonly ComponentChildren[]; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1).
    <section class="table-scroll" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((cell, index) => (
              <th key={index} scope="col">
                {cell === '' ? <span class="visually-hidden">Actions</span> : cell}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}
