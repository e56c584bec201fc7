import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from '@codemirror/language';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { EditorState } from '@codemirror/state';
import { crosshairCursor, drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view';
import { languageOf } from './languages.ts';
import { colours } from './theme.ts';

export interface EditorOptions {
  label: string;
  value: string;
  runtime: string;
  readOnly: boolean;
  onChange(value: string): void;
  onSave(): void;
}

export interface OpenEditor {
  /** Unless it is that already. */
  replace(value: string): void;
  close(): void;
}

export function openEditor(root: ShadowRoot, { label, value, runtime, readOnly, onChange, onSave }: EditorOptions): OpenEditor {
  const save = () => {
    onSave();
    return true;
  };
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: value,
      extensions: [
        lineNumbers(),
        // A phone has no room for long lines, and what scrolls sideways is hard to reach by keyboard.
        EditorView.lineWrapping,
        highlightActiveLineGutter(),
        foldGutter(),
        history(),
        drawSelection(),
        crosshairCursor(),
        EditorState.allowMultipleSelections.of(true),
        indentOnInput(),
        indentUnit.of(runtime.startsWith('python') ? '    ' : '  '),
        bracketMatching(),
        closeBrackets(),
        autocompletion(),
        highlightActiveLine(),
        highlightSelectionMatches(),
        keymap.of([
          { key: 'Mod-s', run: save, preventDefault: true },
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...searchKeymap,
          ...historyKeymap,
          ...foldKeymap,
          ...completionKeymap,
          // Esc before Tab leaves the editor: CodeMirror's own way out for the keyboard.
          indentWithTab,
        ]),
        languageOf(runtime),
        ...colours,
        EditorState.readOnly.of(readOnly),
        EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', ...(readOnly ? { 'aria-readonly': 'true' } : {}) }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    replace(next) {
      const now = view.state.doc.toString();
      if (now !== next) view.dispatch({ changes: { from: 0, to: now.length, insert: next } });
    },
    close: () => view.destroy(),
  };
}
