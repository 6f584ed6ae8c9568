/** The query page: a list of panels whose whole state is the URL's. */
import { useRef } from 'preact/hooks'
import type { PageProps } from '../app.tsx'
import { go } from '../state/router.ts'
import { DEFAULT_PANEL, decodePanels, encodePanels, MAX_PANELS, type PanelState } from '../state/url-state.ts'
import { Panel } from './panel.tsx'

export function QueryPage({ tick, search }: PageProps) {
  const panels = decodePanels(search)
  const ids = usePanelIds(panels.length)
  const show = (next: readonly PanelState[]): void => go('query', encodePanels(next))
  const last = panels.at(-1)!
  return (
    <>
      <h1 class="offscreen">Query</h1>
      {panels.map((panel, index) => (
        <Panel
          key={ids.current[index]}
          index={index}
          panel={panel}
          tick={tick}
          onChange={(next) => show(panels.map((old, at) => (at === index ? next : old)))}
          onRemove={
            panels.length > 1
              ? () => {
                  ids.current.splice(index, 1)
                  show(panels.filter((_, at) => at !== index))
                }
              : null
          }
        />
      ))}
      <button
        type="button"
        class="add"
        disabled={panels.length >= MAX_PANELS}
        onClick={() => show([...panels, { ...DEFAULT_PANEL, tab: last.tab, rangeMs: last.rangeMs, endMs: last.endMs }])}
      >
        + Add expression
      </button>
    </>
  )
}

/** A panel that stays keeps its component (its draft, its lines) when another is removed. */
function usePanelIds(count: number) {
  const ids = useRef<number[]>([])
  const next = useRef(0)
  while (ids.current.length < count) ids.current.push(next.current++)
  ids.current.length = count
  return ids
}
