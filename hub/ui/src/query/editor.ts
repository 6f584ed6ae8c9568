/**
 * The PromQL editor: CodeMirror with Prometheus's completion and lint. It lives in a shadow root, because there it
 * brings its style sheets by adoption; in the document it would need inline styles, which the content security policy
 * forbids. This file is the door of a lazy chunk: nothing of the first load may import it for more than its types.
 */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from '@codemirror/commands'
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language'
import { lintKeymap } from '@codemirror/lint'
import { EditorState, Prec, type Transaction } from '@codemirror/state'
import { EditorView, keymap, placeholder } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { PromQLExtension } from '@prometheus-io/codemirror-promql'

export type EditorOptions = {
  readonly host: HTMLElement
  readonly doc: string
  readonly label: string
  /** `/` or `/prefix/`. */
  readonly apiBase: string
  readonly selection: { readonly anchor: number; readonly head: number }
  onRun(): void
  onOlder(): void
  onNewer(): void
  onChange(): void
}

export type ExpressionEditor = {
  text(): string
  replace(text: string): void
  focus(): void
  destroy(): void
}

export function mountEditor(options: EditorOptions): ExpressionEditor {
  const root = options.host.shadowRoot ?? options.host.attachShadow({ mode: 'open' })
  const promql = new PromQLExtension().setComplete({
    remote: { url: options.apiBase.replace(/\/$/, ''), httpMethod: 'GET', cache: { maxAge: 60_000 } },
  })
  const command = (act: () => void) => (): boolean => {
    act()
    return true
  }
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: options.doc,
      selection: clampSelection(options),
      extensions: [
        history(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        autocompletion({ maxRenderedOptions: 100, icons: false }),
        syntaxHighlighting(COLORS),
        promql.asExtension(),
        EditorView.lineWrapping,
        EditorView.domEventHandlers({ beforeinput: typeOverSelection }),
        placeholder('Expression: Enter runs, Shift+Enter starts a line'),
        EditorView.contentAttributes.of({ 'aria-label': options.label, spellcheck: 'false' }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) options.onChange()
        }),
        // The completion's own keys come first: Enter takes the chosen entry while the list is open.
        Prec.highest(keymap.of(completionKeymap)),
        Prec.high(
          keymap.of([
            { key: 'Enter', run: command(options.onRun), shift: insertNewlineAndIndent },
            { key: 'Mod-ArrowUp', run: command(options.onOlder) },
            { key: 'Mod-ArrowDown', run: command(options.onNewer) },
            { key: 'Ctrl-ArrowUp', run: command(options.onOlder) },
            { key: 'Ctrl-ArrowDown', run: command(options.onNewer) },
          ]),
        ),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...lintKeymap]),
        keymap.of([{ key: 'Escape', run: (target) => command(() => target.contentDOM.blur())() }]),
        THEME,
      ],
    }),
  })
  return {
    text: () => view.state.doc.toString(),
    replace: (text) =>
      view.dispatch({
        changes: { from: 0, to: view.state.doc.length, insert: text },
        selection: { anchor: text.length },
      }),
    focus: () => view.focus(),
    destroy: () => {
      view.destroy()
      promql.destroy()
    },
  }
}

/**
 * Typing over a selection is done as a transaction: left to itself, Chromium keeps the look of the text that goes by an
 * inline style on the text that comes, which the content security policy blocks and reports.
 */
function typeOverSelection(event: InputEvent, view: EditorView): boolean {
  const { data, inputType, isComposing } = event
  const { main } = view.state.selection
  if (inputType !== 'insertText' || data === null || isComposing || !event.cancelable || main.empty) return false
  const insert = (): Transaction =>
    view.state.update(view.state.replaceSelection(data), { userEvent: 'input.type', scrollIntoView: true })
  const handlers = view.state.facet(EditorView.inputHandler)
  if (!handlers.some((handle) => handle(view, main.from, main.to, data, insert))) view.dispatch(insert())
  event.preventDefault()
  return true
}

function clampSelection({ doc, selection }: EditorOptions): { anchor: number; head: number } {
  const clamp = (at: number): number => Math.max(0, Math.min(at, doc.length))
  return { anchor: clamp(selection.anchor), head: clamp(selection.head) }
}

const COLORS = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: 'var(--code-keyword)' },
  { tag: [tags.function(tags.variableName), tags.special(tags.variableName)], color: 'var(--code-function)' },
  { tag: tags.labelName, color: 'var(--code-label)' },
  { tag: tags.string, color: 'var(--code-string)' },
  { tag: [tags.number, tags.literal], color: 'var(--code-number)' },
  { tag: tags.comment, color: 'var(--ink-3)', fontStyle: 'italic' },
  { tag: tags.invalid, color: 'var(--crit)' },
])

/** Custom properties reach into the shadow root, so one theme serves light and dark. */
const THEME = EditorView.theme({
  '&': { backgroundColor: 'transparent', color: 'var(--ink)', fontSize: '13px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5', maxHeight: '240px' },
  '.cm-content': { padding: '6px 0', caretColor: 'var(--ink)' },
  '.cm-line': { padding: '0 8px' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-placeholder': { color: 'var(--ink-3)' },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--mark)' },
  '&.cm-focused .cm-nonmatchingBracket': { backgroundColor: 'transparent', color: 'var(--crit)' },
  '.cm-content ::selection, & ::selection': { backgroundColor: 'var(--select)' },
  '.cm-tooltip': {
    backgroundColor: 'var(--surface)',
    color: 'var(--ink)',
    border: '1px solid var(--line-2)',
    borderRadius: '5px',
    boxShadow: 'var(--shadow)',
    overflow: 'hidden',
    zIndex: '50',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', fontSize: '12px', maxHeight: '260px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '3px 8px' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--on-accent)' },
  '.cm-tooltip-autocomplete ul li[aria-selected] .cm-completionDetail': { color: 'var(--on-accent)' },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '700' },
  '.cm-completionDetail': { color: 'var(--ink-3)', fontStyle: 'normal', marginLeft: '12px' },
  '.cm-completionInfo': { maxWidth: '360px', padding: '6px 8px', fontFamily: 'var(--sans)', fontSize: '12px' },
  '.cm-diagnostic': { padding: '4px 8px', fontSize: '12px', borderLeft: '3px solid var(--crit)' },
  '.cm-diagnostic-warning': { borderLeftColor: 'var(--warn)' },
  '.cm-diagnostic-info': { borderLeftColor: 'var(--accent)' },
  // The stock underline is a data: image, which img-src 'self' would block and report.
  '.cm-lintRange': { backgroundImage: 'none', textUnderlineOffset: '3px' },
  '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy var(--crit) 1px' },
  '.cm-lintRange-warning': { backgroundImage: 'none', textDecoration: 'underline wavy var(--warn) 1px' },
  '.cm-lintRange-info, .cm-lintRange-hint': {
    backgroundImage: 'none',
    textDecoration: 'underline dotted var(--accent)',
  },
})
