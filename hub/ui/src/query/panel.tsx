/** One expression with its answer as a table or as a graph, or with the plan it ran by. */
import { useId, useMemo, useRef, useState } from 'preact/hooks'
import type { PanelState, Tab } from '../state/url-state.ts'
import { ExplainView } from './explain-view.tsx'
import { Expression } from './expression.tsx'
import { GraphView } from './graph-view.tsx'
import { TableView } from './table-view.tsx'

export type ViewProps = {
  readonly panel: PanelState
  /** Grows when the answer is wanted anew: the Run button, the refresh. */
  readonly tick: number
  readonly onChange: (next: PanelState) => void
  /** Told when a query starts (with what cancels it) and ends (null). */
  readonly onRunning: (cancel: (() => void) | null) => void
}

type Props = {
  readonly index: number
  readonly panel: PanelState
  readonly tick: number
  onChange(next: PanelState): void
  readonly onRemove: (() => void) | null
}

const TABS: readonly { readonly tab: Tab; readonly title: string }[] = [
  { tab: 'table', title: 'Table' },
  { tab: 'graph', title: 'Graph' },
  { tab: 'explain', title: 'Explain' },
]
const VIEWS = { table: TableView, graph: GraphView, explain: ExplainView } as const

export function Panel({ index, panel, tick, onChange, onRemove }: Props) {
  const id = useId()
  const [runs, setRuns] = useState(0)
  const [isDraft, setIsDraft] = useState(false)
  const [cancel, setCancel] = useState<{ cancel(): void } | null>(null)
  const onRunning = useMemo(() => (stop: (() => void) | null) => setCancel(stop && { cancel: stop }), [])
  const View = VIEWS[panel.tab]
  // A graph under the pointer stands still: the refresh waits until it leaves.
  const view = useRef<HTMLDivElement>(null)
  const held = useRef(tick)
  if (!view.current?.querySelector('.u-over:hover')) held.current = tick
  // A fixed end has one answer: only the reader asks for it again.
  const asked = panel.endMs === null ? runs + held.current : runs

  return (
    <section class="panel" aria-label={`Expression ${index + 1}`}>
      <div class="panel-head">
        <Expression
          value={panel.expr}
          label={`PromQL expression ${index + 1}`}
          isLoading={cancel !== null}
          onDraft={setIsDraft}
          onCancel={() => cancel?.cancel()}
          onRun={(expr) => {
            setIsDraft(false)
            if (expr === panel.expr) setRuns((count) => count + 1)
            else onChange({ ...panel, expr })
          }}
        />
        {onRemove && (
          <button type="button" class="icon" aria-label={`Remove expression ${index + 1}`} onClick={onRemove}>
            <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
              <path d="M2 2l8 8M10 2l-8 8" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" />
            </svg>
          </button>
        )}
      </div>
      <div class="tabs" role="tablist" aria-label="Show the answer as">
        {TABS.map(({ tab, title }, at) => (
          <button
            key={tab}
            type="button"
            role="tab"
            id={`${id}-${tab}`}
            aria-selected={panel.tab === tab}
            aria-controls={`${id}-view`}
            tabIndex={panel.tab === tab ? 0 : -1}
            onClick={() => panel.tab !== tab && onChange({ ...panel, tab })}
            onKeyDown={(event) => {
              if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
              event.preventDefault()
              const step = event.key === 'ArrowLeft' ? TABS.length - 1 : 1
              const other = TABS[(at + step) % TABS.length]!.tab
              onChange({ ...panel, tab: other })
              document.getElementById(`${id}-${other}`)?.focus()
            }}
          >
            {title}
          </button>
        ))}
        {isDraft && panel.expr !== '' && <span class="hint">edited, not run: Enter runs</span>}
      </div>
      <div ref={view} class="view" role="tabpanel" id={`${id}-view`} aria-labelledby={`${id}-${panel.tab}`}>
        <View panel={panel} tick={asked} onChange={onChange} onRunning={onRunning} />
      </div>
    </section>
  )
}
