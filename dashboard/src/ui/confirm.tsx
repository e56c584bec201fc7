import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface Props {
  title: string;
  /** The button that does it. */
  action: string;
  /** What is lost by it. */
  dangerous?: boolean;
  busy?: boolean;
  children: ComponentChildren;
  onConfirm(): void;
  onClose(): void;
}

/** Asks before something that can't be taken back. The browser's own dialog: it keeps the focus inside, and gives it back. */
export function Confirm({ title, action, dangerous = false, busy = false, children, onConfirm, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="confirm-title" onClose={onClose}>
      <h2 id="confirm-title">{title}</h2>
      <div class="dialog-text">{children}</div>
      <div class="actions actions-end">
        <button type="button" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
        <button type="button" class={dangerous ? 'danger' : 'primary'} disabled={busy} onClick={onConfirm}>
          {action}
        </button>
      </div>
    </dialog>
  );
}
