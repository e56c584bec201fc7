import { Store, useStore } from '../store.ts';

interface Toast {
  id: number;
  kind: 'done' | 'failed';
  text: string;
}

const STAY_MS = 6_000;

/** Short notices of what came of an action. */
export class Toasts {
  readonly shown = new Store<readonly Toast[]>([]);
  #last = 0;

  done(text: string): void {
    this.#add('done', text);
  }

  /** Stays until it is closed: whoever looked away is to see it. */
  failed(text: string): void {
    this.#add('failed', text);
  }

  close(id: number): void {
    this.shown.set(this.shown.value.filter((toast) => toast.id !== id));
  }

  #add(kind: Toast['kind'], text: string): void {
    const id = ++this.#last;
    this.shown.set([...this.shown.value.slice(-3), { id, kind, text }]);
    if (kind === 'done') setTimeout(() => this.close(id), STAY_MS);
  }
}

export function ToastList({ toasts }: { toasts: Toasts }) {
  const shown = useStore(toasts.shown);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.map(({ id, kind, text }) => (
        <div key={id} class={`toast toast-${kind}`}>
          <span>{text}</span>
          <button type="button" class="plain" aria-label="Close this notice" onClick={() => toasts.close(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
