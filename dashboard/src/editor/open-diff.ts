import { unifiedMergeView } from '@codemirror/merge';
import { EditorState } from '@codemirror/state';
import { EditorView, lineNumbers } from '@codemirror/view';
import { languageOf } from './languages.ts';
import { colours } from './theme.ts';

export interface DiffOptions {
  label: string;
  before: string;
  after: string;
  runtime: string;
}

/** Shows what has changed, in one column: it fits a phone, too. @returns what closes it */
export function openDiff(root: ShadowRoot, { label, before, after, runtime }: DiffOptions): () => void {
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: after,
      extensions: [
        lineNumbers(),
        EditorView.lineWrapping,
        languageOf(runtime),
        ...colours,
        EditorState.readOnly.of(true),
        EditorView.editable.of(true),
        EditorView.contentAttributes.of({ 'aria-label': label, 'aria-readonly': 'true' }),
        unifiedMergeView({ original: before, mergeControls: false, gutter: true, collapseUnchanged: { margin: 3, minSize: 6 } }),
      ],
    }),
  });
  return () => view.destroy();
}
