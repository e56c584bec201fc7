import { javascript } from '@codemirror/lang-javascript';
import { python } from '@codemirror/lang-python';
import type { Extension } from '@codemirror/state';

/** @param runtime of a function: `python`, `nodejs`, `nodejs26` … */
export function languageOf(runtime: string): Extension {
  if (runtime.startsWith('python')) return python();
  // Types are JavaScript's too for who only reads.
  return runtime.startsWith('nodejs') ? javascript({ typescript: true }) : [];
}
