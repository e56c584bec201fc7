import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Platform } from './api/platform.ts';
import type { Theme } from './ui/theme.ts';
import type { Toasts } from './ui/toasts.tsx';

/** What pages need of the outside. */
export interface Surroundings {
  platform: Platform;
  toasts: Toasts;
  theme: Theme;
}

export const SurroundingsContext = createContext<Surroundings | null>(null);

export function useSurroundings(): Surroundings {
  const surroundings = useContext(SurroundingsContext);
  if (surroundings === null) throw new Error('outside of the app');
  return surroundings;
}
