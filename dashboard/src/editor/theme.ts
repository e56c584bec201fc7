import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

/** Colours are the page's custom properties, which reach into the shadow root: the editor follows dark and light by itself. */
const theme = EditorView.theme({
  '&': { color: 'var(--text)', backgroundColor: 'var(--sunken)', fontSize: '13px', height: '100%' },
  '&.cm-focused': { outline: '2px solid var(--focus)', outlineOffset: '-2px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55' },
  '.cm-content': { caretColor: 'var(--text)' },
  '.cm-cursor, .cm-dropCursor': { borderLeftColor: 'var(--text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { background: 'var(--selection)' },
  '.cm-gutters': { backgroundColor: 'var(--sunken)', color: 'var(--faint)', border: 'none' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--line-hover)' },
  '.cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--text)' },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', color: 'var(--text)', border: '1px solid var(--border)' },
  '.cm-foldPlaceholder': { backgroundColor: 'var(--raised)', color: 'var(--faint)', border: 'none' },
  // As specific as what the view of differences brings, and after it.
  '&.cm-merge-b .cm-changedText': { background: 'var(--changed)', textDecoration: 'underline' },
  '& .cm-deletedChunk .cm-deletedText': { background: 'var(--deleted-text)', textDecoration: 'underline' },
  '.cm-changedLine, .cm-insertedLine': { backgroundColor: 'var(--inserted) !important' },
  '.cm-deletedChunk, .cm-deletedLine': { backgroundColor: 'var(--deleted) !important' },
  '.cm-collapsedLines': { color: 'var(--faint)', background: 'var(--raised)' },
});

const highlight = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: 'var(--code-keyword)' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: 'var(--code-string)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'var(--code-number)' },
  { tag: [tags.comment, tags.meta], color: 'var(--faint)', fontStyle: 'italic' },
  {
    tag: [tags.function(tags.variableName), tags.function(tags.definition(tags.variableName)), tags.className, tags.typeName],
    color: 'var(--code-name)',
  },
]);

export const colours = [theme, syntaxHighlighting(highlight)];
