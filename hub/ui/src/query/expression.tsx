/**
 * The expression input. At first paint a plain text area that works; the editor with completion and lint arrives as a
 * chunk of its own and takes its place, keeping text, selection and focus. Should the chunk not come, the area stays.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import { basePath } from '../api/client.ts'
import { HistoryWalk, rememberExpr } from '../state/history.ts'
import { storage } from '../state/settings.ts'
import type { ExpressionEditor } from './editor.ts'

type Props = {
  readonly value: string
  readonly label: string
  readonly isLoading: boolean
  onRun(expr: string): void
  onDraft(isChanged: boolean): void
  onCancel(): void
}

export function Expression({ value, label, isLoading, onRun, onDraft, onCancel }: Props) {
  const area = useRef<HTMLTextAreaElement>(null)
  const host = useRef<HTMLDivElement>(null)
  const editor = useRef<ExpressionEditor | null>(null)
  const walk = useRef(new HistoryWalk())
  const [isEditor, setIsEditor] = useState(false)

  const text = (): string => editor.current?.text() ?? area.current?.value ?? ''
  const replace = (next: string): void => {
    if (editor.current) editor.current.replace(next)
    else if (area.current) {
      area.current.value = next
      fit(area.current)
    }
    onDraft(next !== value)
  }
  const actions = useRef({ run: () => {}, older: () => {}, newer: () => {}, changed: () => {} })
  actions.current = {
    run: () => {
      const expr = text().trim()
      walk.current.reset()
      if (expr !== '') rememberExpr(storage, expr)
      onRun(expr)
    },
    older: () => {
      const found = walk.current.older(text(), storage)
      if (found !== null) replace(found)
    },
    newer: () => {
      const found = walk.current.newer()
      if (found !== null) replace(found)
    },
    changed: () => onDraft(text() !== value),
  }

  // The URL changed under us (back, forward, zoom of a neighbour): its text wins over the draft.
  useEffect(() => {
    if (text() !== value) replace(value)
    walk.current.reset()
  }, [value])

  useEffect(() => {
    let isGone = false
    const load = async (): Promise<void> => {
      const { mountEditor } = await import('./editor.ts')
      if (isGone || !host.current || !area.current) return
      const { value: doc, selectionStart, selectionEnd } = area.current
      const hasFocus = document.activeElement === area.current
      editor.current = mountEditor({
        host: host.current,
        doc,
        label,
        apiBase: basePath(location.pathname),
        selection: { anchor: selectionStart, head: selectionEnd },
        onRun: () => actions.current.run(),
        onOlder: () => actions.current.older(),
        onNewer: () => actions.current.newer(),
        onChange: () => actions.current.changed(),
      })
      setIsEditor(true)
      if (hasFocus) editor.current.focus()
    }
    const timer = setTimeout(() => void load().catch(() => {}), 50)
    return () => {
      isGone = true
      clearTimeout(timer)
      editor.current?.destroy()
    }
  }, [])

  return (
    <div class="expression">
      <div class="expression-input" ref={host} hidden={!isEditor} />
      {!isEditor && (
        <textarea
          ref={area}
          class="expression-input"
          aria-label={label}
          placeholder="Expression: Enter runs, Shift+Enter starts a line"
          rows={1}
          spellcheck={false}
          autocomplete="off"
          defaultValue={value}
          onInput={(event) => {
            fit(event.currentTarget)
            actions.current.changed()
          }}
          onKeyDown={(event) => {
            if (event.isComposing) return
            const isMod = event.ctrlKey || event.metaKey
            if (event.key === 'Enter' && !event.shiftKey) actions.current.run()
            else if (event.key === 'ArrowUp' && isMod) actions.current.older()
            else if (event.key === 'ArrowDown' && isMod) actions.current.newer()
            else if (event.key === 'Escape') event.currentTarget.blur()
            else return
            event.preventDefault()
          }}
        />
      )}
      {isLoading ? (
        <button type="button" class="run" onClick={onCancel}>
          Cancel
        </button>
      ) : (
        <button type="button" class="run primary" onClick={() => actions.current.run()}>
          Run
        </button>
      )}
    </div>
  )
}

/** As many rows as the text has lines, up to ten. */
function fit(area: HTMLTextAreaElement): void {
  area.rows = Math.min(10, area.value.split('\n').length)
}
