import { Store } from '../store.ts';

export type Scheme = 'system' | 'light' | 'dark';
const KEY = 'hearth-theme';
const SCHEMES: readonly Scheme[] = ['system', 'light', 'dark'];

/** Dark or light: as the system has it, until somebody chooses. */
export class Theme {
  readonly chosen: Store<Scheme>;
  readonly #root: HTMLElement;
  readonly #storage: Storage;

  constructor(root: HTMLElement, storage: Storage) {
    this.#root = root;
    this.#storage = storage;
    const kept = storage.getItem(KEY) as Scheme | null;
    this.chosen = new Store<Scheme>(kept !== null && SCHEMES.includes(kept) ? kept : 'system');
    this.#apply();
  }

  next(): void {
    this.chosen.set(SCHEMES[(SCHEMES.indexOf(this.chosen.value) + 1) % SCHEMES.length] as Scheme);
    this.#storage.setItem(KEY, this.chosen.value);
    this.#apply();
  }

  #apply(): void {
    const { value } = this.chosen;
    if (value === 'system') delete this.#root.dataset.theme;
    else this.#root.dataset.theme = value;
  }
}
